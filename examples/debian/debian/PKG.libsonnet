// Retrieves Debian packages, from an archive in this directory or, with the network, from a mirror. To use it, get this package
// and name it as a retriever, `from=wake.exec('pkg.debian./retrieve', config={ ... })`, for packages of the namespace `deb`.
function(wake)
  wake.pkg(
    wake.pkgInfo('debian', '1.0.0'),
    files=['./retrieve', './requirement.py'] + wake.dir(['{archive/**,}', '{keys/**,}']),
  )
