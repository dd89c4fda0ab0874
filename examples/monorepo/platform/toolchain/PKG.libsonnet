// Tools as data: scripts that call the machine's compilers, and their flags.
function(wake)
  wake.pkg(
    wake.pkgInfo('toolchain', '1.0.0'),
    files=wake.dir('./bin'),
    inputs=function(wake, pkg) {
      cc: wake.ref('./bin/cc.sh'),
      lib: wake.ref('./bin/lib.sh'),
      pyz: wake.ref('./bin/pyz.py'),
      run: wake.ref('./bin/run.sh'),
      cflags: ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror'],
    },
  )
