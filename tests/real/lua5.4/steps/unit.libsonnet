// One translation unit. It sees its own source and the headers, and no other sources.
function(wake, pkg, config)
  wake.module(
    name='unit',
    pkgFiles=['./src/%s.c' % config.unit, './src/*.h', './steps/compile.sh'],
    outputs=function(wake, pkg) { object: './unit.o' },
    exec=wake.exec(
      './steps/compile.sh',
      args=['./unit.o', '-std=gnu99', '-O2', '-DLUA_COMPAT_5_3', '-DLUA_USE_LINUX', './src/%s.c' % config.unit],
    ),
  )
