// The retriever is global, so that packages it provides can use it too; it may use the network.
function(wake)
  wake.pkg(
    wake.pkgInfo('root', '1.0.0'),
    pkgs={
      debian: wake.getPkg(wake.pkgInfo('debian', '*'), from='./debian', global=true, permissions=['network']),
    },
  )
