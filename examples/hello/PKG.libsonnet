// A package is data: who it is, which files are its own, and what can be built from it.
function(wake)
  wake.pkg(
    wake.pkgInfo(name='hello', version='0.1.0'),
    files=['./greet.py'],
    modules={ hello: './hello.libsonnet' },
  )
