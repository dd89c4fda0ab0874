// What this package is: its files, and the modules that can be built from them.
function(wake) wake.pkg(
  wake.pkgInfo('NAME', '0.1.0'),
  files=['./hello.sh', './check.sh'],
  modules={ hello: './hello.libsonnet', check: './check.libsonnet' },
)
