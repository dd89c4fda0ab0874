// The manual, written by a shell script from the usage lines of the programs themselves.
function(wake)
  wake.pkg(
    wake.pkgInfo('docs', '1.0.0'),
    pkgs={ apps: wake.getPkg(wake.pkgInfo('apps', '^1'), from='../apps') },
    files=['./intro.txt', './manual.sh'],
    modules={ manual: './manual.libsonnet' },
  )
