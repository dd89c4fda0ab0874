// Generates C from the data package, with a tool from another package.
function(wake, pkg, config={})
  wake.module(
    name='gen',
    pkgFiles=[],
    outputs=function(wake, pkg) { source: './gen/cities.c' },
    exec=wake.exec('pkg.pygen.input.cities', args=[wake.ref('pkg.cities.input.table'), './gen/cities.c']),
  )
