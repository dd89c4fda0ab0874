// One translation unit. It sees its own source and the headers, and no other sources.
function(wake, pkg, config)
  wake.module(
    name='unit',
    pkgFiles=['./%s.c' % config.unit, './*.h', './steps/compile.sh'],
    outputs=function(wake, pkg) { object: './unit.o' },
    exec=wake.exec(
      './steps/compile.sh',
      args=['./unit.o', '-O2', '-D_LARGEFILE64_SOURCE=1', '-DHAVE_UNISTD_H', '-DHAVE_STDARG_H', '-I', '.']
           + ['./%s.c' % config.unit],
    ),
  )
