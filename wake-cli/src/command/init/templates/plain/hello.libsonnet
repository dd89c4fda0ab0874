// One thing that can be built. Try `wake run :hello --config greeting=Moin`.
function(wake, pkg, config={ greeting: 'Hello' }) wake.module(
  'hello',
  pkgFiles=['./hello.sh'],
  outputs=function(wake, pkg) { bin: './out/hello' },
  exec=wake.exec('./hello.sh', args=[config.greeting]),
)
