// The machine's busybox, which is one static program. A package of one's own programs would build them here.
function(wake, pkg)
  wake.module(
    'box',
    pkgFiles=[],
    outputs=function(wake, pkg) { busybox: './busybox' },
    exec=wake.exec(wake.program('cp'), args=['/bin/busybox', './busybox']),
  )
