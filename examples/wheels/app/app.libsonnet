// One file that Python runs: the program and everything that it imports.
function(wake, pkg)
  wake.module(
    'app',
    modules={ greeting: pkg.pkgs.greeting.modules.path({}) },
    outputs=function(wake, pkg) { bin: './app.pyz' },
    exec=function(wake, module) wake.exec('./bundle.py', args=module.modules.greeting.outputs.paths),
  )
