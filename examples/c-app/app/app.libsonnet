// The program of one profile, linked with the library of the same profile.
function(wake, pkg, config={ profile: 'debug' })
  wake.module(
    name='app',
    modules={ stats: pkg.pkgs.stats.modules.lib({ profile: config.profile }) },
    outputs=function(wake, pkg) { bin: './bin/app' },
    exec=wake.exec(
      './build.sh',
      // The first ref is a value that already exists: a directory of another package. The second is a
      // promise: the archive exists once the module it belongs to has been built. Inside the
      // sandbox, both become paths below `./.wake/`; the rest of the library is not visible.
      args=pkg.pkgs.stats.inputs.cflags[config.profile]
           + ['-I', wake.ref('pkg.stats.input.include')]
           + ['./src/main.c', wake.ref('modules.stats.output.archive')],
    ),
  )
