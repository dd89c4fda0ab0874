// A C program linked against a retrieved library.
local library = import './library.libsonnet';

function(wake, pkg)
  wake.module(
    'app',
    modules={ library: pkg.pkgs.library.modules.root({}) },
    outputs=function(wake, pkg) { bin: './app' },
    exec=function(wake, module)
      wake.exec('./build.sh', args=[library.link] + module.modules.library.outputs.roots),
  )
