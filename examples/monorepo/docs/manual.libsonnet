function(wake, pkg, config={})
  local programs = ['count', 'last', 'nearest'];
  wake.module(
    name='manual',
    modules={ [name]: pkg.pkgs.apps.modules[name]() for name in programs },
    outputs=function(wake, pkg) { text: './manual.txt' },
    exec=wake.exec(
      './manual.sh',
      args=['./intro.txt', './manual.txt'] + [wake.ref('modules.%s.output.bin' % name) for name in programs],
    ),
  )
