// A container image that wake puts together by itself: no engine of containers, no daemon and no root takes part. The same
// image is then the root file system of a command that tries it.
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
