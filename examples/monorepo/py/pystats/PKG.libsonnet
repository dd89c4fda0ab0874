// A Python library: it consists of source files only, which other packages use directly.
function(wake)
  wake.pkg(
    wake.pkgInfo('pystats', '1.0.0'),
    files=wake.dir('./src/**/*.py'),
    inputs=function(wake, pkg) { root: wake.ref('./src') },
  )
