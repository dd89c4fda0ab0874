// The retriever is global, so that packages it provides can use it too.
function(wake)
  wake.pkg(
    wake.pkgInfo('root', '1.0.0'),
    pkgs={ wheels: wake.getPkg(wake.pkgInfo('wheels', '*'), from='./wheels', global=true) },
  )
