// Runs each program and compares its output with the expected output.
local names = ['count', 'last', 'nearest'];

function(wake, pkg, config={})
  wake.module(
    name='tests',
    modules={ [name]: pkg.modules[name]() for name in names },
    pkgFiles=['./expected/**'],
    files=function(wake, module) [
      wake.file('./bin/' + name, from='modules.%s.output.bin' % name)
      for name in names
    ],
    outputs=function(wake, pkg) { report: './report.txt' },
    exec=wake.exec('./expected/run.sh', args=['./report.txt', wake.ref('pkg.checks.input.expect')]),
  )
