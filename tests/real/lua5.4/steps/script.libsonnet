// Runs a script with the newly built interpreter; its only argument is the output path.
function(wake, pkg, config={})
  wake.module(
    name='script',
    modules={ lua: pkg.modules.lua(), luac: pkg.modules.luac() },
    pkgFiles=['./steps/script.sh', './steps/sieve.lua'],
    outputs=function(wake, pkg) { report: './report.txt' },
    exec=wake.exec(
      './steps/script.sh',
      args=[wake.ref('modules.lua.output.bin'), wake.ref('modules.luac.output.bin'), './report.txt'],
    ),
  )
