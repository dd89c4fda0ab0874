// Packs a directory reproducibly: equal files give equal archives.
function(wake)
  wake.pkg(
    wake.pkgInfo('bundle', '1.0.0'),
    files=['./bundle.sh'],
    inputs=function(wake, pkg) { bundle: wake.ref('./bundle.sh') },
  )
