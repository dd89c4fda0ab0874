function(wake, pkg, config={})
  wake.module(
    name='lib',
    modules={ gen: pkg.modules.gen() },
    pkgFiles=['./include/**', './src/geo.c'],
    outputs=function(wake, pkg) { archive: './lib/libgeo.a' },
    exec=wake.exec(
      'pkg.toolchain.input.lib',
      args=['./lib/libgeo.a'] + pkg.pkgs.toolchain.inputs.cflags
           + ['-I', './include', './src/geo.c', wake.ref('modules.gen.output.source')],
    ),
  )
