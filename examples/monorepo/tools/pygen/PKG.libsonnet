// Generators of source code.
function(wake)
  wake.pkg(
    wake.pkgInfo('pygen', '1.0.0'),
    files=['./cities.py'],
    inputs=function(wake, pkg) { cities: wake.ref('./cities.py') },
  )
