// An image without a base: one program under several names.
function(wake, pkg)
  local programs = ['cat', 'id', 'ls', 'sh'];
  wake.module(
    'base',
    pkgFiles=[],
    modules={ box: pkg.modules.box({}) },
    outputs=function(wake, pkg) { image: './image/' },
    exec=function(wake, module) wake.image(
      files={ ['/bin/' + program]: 'module.box.output.busybox' for program in programs },
      env={ PATH: '/bin' },
      cmd=['sh'],
    ),
  )
