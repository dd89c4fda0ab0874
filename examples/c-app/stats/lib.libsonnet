// The archive, once for each requested profile.
function(wake, pkg, config={ profile: 'debug' })
  wake.module(
    name='lib',
    outputs=function(wake, pkg) { archive: './lib/libstats.a' },
    exec=wake.exec('./build.sh', args=pkg.inputs.cflags[config.profile]),
  )
