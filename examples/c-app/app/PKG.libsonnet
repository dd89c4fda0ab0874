// A program that links the library. `from` is a path in the workspace; the version is a requirement that
// the package found there must meet.
function(wake)
  wake.pkg(
    wake.pkgInfo('app', '1.0.0'),
    pkgs={ stats: wake.getPkg(wake.pkgInfo('stats', '^1.0'), from='../stats') },
    files=['./src/main.c', './build.sh'],
    modules={ app: './app.libsonnet', both: './both.libsonnet' },
  )
