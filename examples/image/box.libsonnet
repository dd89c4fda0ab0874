// The machine's busybox, a single static program. A package with its own programs would build them here.
function(wake, pkg)
  wake.module(
    'box',
    pkgFiles=[],
    outputs=function(wake, pkg) { busybox: './busybox' },
    exec=wake.exec(wake.program('cp'), args=['/bin/busybox', './busybox']),
  )
