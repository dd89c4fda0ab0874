// One of zlib's own test programs, linked with the archive.
function(wake, pkg, config)
  wake.module(
    name='program',
    modules={ main: pkg.modules.unit({ unit: 'test/' + config.program }), lib: pkg.modules.lib() },
    pkgFiles=['./steps/link.sh'],
    outputs=function(wake, pkg) { bin: './' + config.program },
    exec=wake.exec(
      './steps/link.sh',
      args=['./' + config.program, wake.ref('modules.main.output.object'), wake.ref('modules.lib.output.archive')],
    ),
  )
