// One archive for each requested capacity.
function(wake, pkg, config={ capacity: 10 })
  wake.module(
    name='lib',
    pkgFiles=['./include/**', './src/ring.c'],
    outputs=function(wake, pkg) { archive: './lib/libring.a' },
    exec=wake.exec(
      'pkg.toolchain.input.lib',
      args=['./lib/libring.a'] + pkg.pkgs.toolchain.inputs.cflags
           + ['-DRING_CAPACITY=%d' % config.capacity, '-I', './include', './src/ring.c'],
    ),
  )
