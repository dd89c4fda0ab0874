// Draws the measurements and the fitted curve. The theme, a value of the package, is dumped as a JSON
// file; the result of the fit is linked under a name that this step chooses.
function(wake, pkg, config={})
  wake.module(
    name='plot',
    modules={ fit: pkg.modules.fit() },
    pkgFiles=['./steps/plot.py', './data/tea.csv'],
    files=function(wake, module) [
      wake.file('./in/theme.json', from=module.pkg.inputs.theme, dump=true),
      wake.file('./in/fit.json', from='modules.fit.output.fit'),
    ],
    outputs=function(wake, pkg) { svg: './plot.svg' },
    exec=wake.exec('./steps/plot.py', args=['./data/tea.csv', './in', './plot.svg']),
  )
