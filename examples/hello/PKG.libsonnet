// A package is data: its identity, its files, and the modules that can be built from it.
function(wake)
  wake.pkg(
    wake.pkgInfo(name='hello', version='0.1.0'),
    files=['./greet.py'],
    modules={ hello: './hello.libsonnet' },
  )
