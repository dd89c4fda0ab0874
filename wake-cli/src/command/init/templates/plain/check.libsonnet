// A test: it passes if its command exits with 0. What passed is remembered until something that it sees changes.
function(wake, pkg) wake.module(
  'check',
  pkgFiles=['./check.sh'],
  modules={ hello: pkg.modules.hello() },
  exec=function(wake, module) wake.exec('./check.sh', args=[module.modules.hello.outputs.bin]),
  test=true,
)
