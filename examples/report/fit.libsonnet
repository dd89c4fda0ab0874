// Fits Newton's law of cooling to the measurements. `pkgFiles` narrows what the command sees to the
// two files that it needs, so that a change to the page does not run the fit again.
function(wake, pkg, config={ room: 21.0 })
  wake.module(
    name='fit',
    pkgFiles=['./steps/fit.py', './data/tea.csv'],
    outputs=function(wake, pkg) { fit: './fit.json' },
    exec=wake.exec(
      './steps/fit.py',
      config={ data: wake.ref('./data/tea.csv'), room: config.room, out: './fit.json' },
    ),
  )
