// Tests the archive of one capacity.
function(wake, pkg, config={ capacity: 10 })
  wake.module(
    name='check',
    modules={ lib: pkg.modules.lib({ capacity: config.capacity }) },
    pkgFiles=['./include/**', './src/test.c'],
    outputs=function(wake, pkg) { report: './report.txt' },
    exec=wake.exec(
      'pkg.checks.input.ctest',
      args=['./report.txt'] + pkg.pkgs.toolchain.inputs.cflags
           + ['-DEXPECTED_CAPACITY=%d' % config.capacity]
           + ['-I', './include', './src/test.c', wake.ref('modules.lib.output.archive')],
    ),
  )
