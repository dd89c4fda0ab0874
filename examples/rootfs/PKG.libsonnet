// A command usually sees the system directories of the machine. Here one module assembles a root file system, and
// another builds inside it: nothing else on the machine can affect the result.
function(wake)
  wake.pkg(
    wake.pkgInfo(name='rootfs', version='0.1.0'),
    files=['./assemble.sh', './concordance.sh', wake.dir('texts')],
    modules={ os: './os.libsonnet', concordance: './concordance.libsonnet' },
  )
