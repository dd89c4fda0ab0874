function(wake, pkg, config={})
  wake.module(
    name='tests',
    modules={ lib: pkg.modules.lib(), text: pkg.pkgs.text.modules.lib() },
    pkgFiles=['./include/**', './src/test.c'],
    outputs=function(wake, pkg) { report: './report.txt' },
    exec=wake.exec(
      'pkg.checks.input.ctest',
      args=['./report.txt'] + pkg.pkgs.toolchain.inputs.cflags + [
        '-I',
        './include',
        './src/test.c',
        wake.ref('modules.lib.output.archive'),
        wake.ref('modules.text.output.archive'),
      ],
    ),
  )
