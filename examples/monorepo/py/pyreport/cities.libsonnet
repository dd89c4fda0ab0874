// Runs the program that another module built: the exec is an output.
function(wake, pkg, config={ top: 5 })
  wake.module(
    name='cities',
    modules={ pyz: pkg.modules.pyz() },
    pkgFiles=[],
    outputs=function(wake, pkg) { report: './cities.md' },
    exec=wake.exec(
      'modules.pyz.output.bin',
      config={ table: wake.ref('pkg.cities.input.table'), top: config.top, out: './cities.md' },
    ),
  )
