// A Python library: source files are all there is to it, so others take them as they are.
function(wake)
  wake.pkg(
    wake.pkgInfo('pystats', '1.0.0'),
    files=wake.dir('./src/**/*.py'),
    inputs=function(wake, pkg) { root: wake.ref('./src') },
  )
