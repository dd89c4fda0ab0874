function(wake, pkg, config={})
  wake.module(
    name='lib',
    pkgFiles=['./include/**', './src/table.c'],
    outputs=function(wake, pkg) { archive: './lib/libtable.a' },
    exec=wake.exec(
      'pkg.toolchain.input.lib',
      args=['./lib/libtable.a'] + pkg.pkgs.toolchain.inputs.cflags
           + ['-I', './include', '-I', wake.ref('pkg.text.input.include'), './src/table.c'],
    ),
  )
