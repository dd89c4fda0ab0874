function(wake, pkg, config={})
  wake.module(
    name='lib',
    pkgFiles=['./include/**', './src/text.c'],
    outputs=function(wake, pkg) { archive: './lib/libtext.a' },
    exec=wake.exec(
      'pkg.toolchain.input.lib',
      args=['./lib/libtext.a'] + pkg.pkgs.toolchain.inputs.cflags + ['-I', './include', './src/text.c'],
    ),
  )
