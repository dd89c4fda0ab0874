// A program from one unit and the library; shared by the module files of the programs.
function(wake, pkg, name)
  wake.module(
    name=name,
    modules={ main: pkg.modules.unit({ unit: name }), lib: pkg.modules.lib() },
    pkgFiles=['./steps/link.sh'],
    outputs=function(wake, pkg) { bin: './bin/' + name },
    exec=wake.exec(
      './steps/link.sh',
      args=[
        './bin/' + name,
        wake.ref('modules.main.output.object'),
        wake.ref('modules.lib.output.archive'),
        '-lm',
        '-ldl',
      ],
    ),
  )
