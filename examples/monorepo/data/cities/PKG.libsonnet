// Only data: a package without modules is still useful to others.
function(wake)
  wake.pkg(
    wake.pkgInfo('cities', '2024.1.0'),
    files=['./cities.csv'],
    inputs=function(wake, pkg) { table: wake.ref('./cities.csv'), source: 'rounded to tenths of a degree and of a million' },
  )
