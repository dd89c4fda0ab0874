// A static library. Its inputs are what users need besides the archive:
// the directory of its headers, and the flags of each profile.
function(wake)
  wake.pkg(
    wake.pkgInfo('stats', '1.0.0'),
    files=wake.dir(['./include', './src']) + ['./build.sh'],
    inputs=function(wake, pkg) {
      include: wake.ref('./include'),
      cflags: {
        debug: ['-std=c11', '-Wall', '-Wextra', '-O0', '-g'],
        release: ['-std=c11', '-Wall', '-Wextra', '-O2', '-DNDEBUG'],
      },
    },
    modules={ lib: './lib.libsonnet' },
  )
