// Test scripts: one compiles and runs a C test, one compares a program's output with a file.
function(wake)
  wake.pkg(
    wake.pkgInfo('checks', '1.0.0'),
    files=['./ctest.sh', './expect.sh'],
    inputs=function(wake, pkg) { ctest: wake.ref('./ctest.sh'), expect: wake.ref('./expect.sh') },
  )
