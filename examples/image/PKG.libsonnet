// A container image that wake assembles itself, without a container engine, a daemon or root. The same
// image is then the root file system of a command that tests it.
function(wake)
  wake.pkg(
    wake.pkgInfo(name='image', version='0.1.0'),
    files=['./hello.sh', './greeting.txt'],
    modules={
      box: './box.libsonnet',
      base: './base.libsonnet',
      hello: './hello.libsonnet',
      tried: './tried.libsonnet',
    },
  )
