// The program as one file.
function(wake, pkg, config={})
  wake.module(
    name='pyz',
    outputs=function(wake, pkg) { bin: './bin/cities' },
    exec=wake.exec(
      'pkg.toolchain.input.pyz',
      args=['./bin/cities', './src', wake.ref('pkg.pystats.input.root')],
    ),
  )
