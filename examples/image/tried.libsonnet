// A command whose root file system is the image, and which sees nothing of the machine.
function(wake, pkg)
  wake.module(
    'tried',
    pkgFiles=[],
    modules={ hello: pkg.modules.hello({}) },
    outputs=function(wake, pkg) { said: './said.txt' },
    exec=function(wake, module) wake.exec(
      wake.program('sh'),
      args=['-c', '/usr/bin/hello > said.txt'],
      env={ PATH: '/bin', WHO: 'wake' },
      rootfs={ image: 'module.hello.output.image' },
    ),
  )
