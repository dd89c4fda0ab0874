// Scripts that test: one compiles a C test and runs it, one compares a program's answer with a file.
function(wake)
  wake.pkg(
    wake.pkgInfo('checks', '1.0.0'),
    files=['./ctest.sh', './expect.sh'],
    inputs=function(wake, pkg) { ctest: wake.ref('./ctest.sh'), expect: wake.ref('./expect.sh') },
  )
