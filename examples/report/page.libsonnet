// Puts text, numbers and plot together into one page that needs no other file.
function(wake, pkg, config={})
  local options = { title: 'How tea cools', author: null } + config;
  wake.module(
    name='page',
    modules={ fit: pkg.modules.fit(), plot: pkg.modules.plot() },
    pkgFiles=['./steps/page.py', './page.html'],
    inputs=function(wake, module) { settings: options },
    outputs=function(wake, pkg) { site: './site/' },
    // A function may stand for the exec: it is called when the modules it depends on are built, so it
    // can compute with what they gave.
    exec=function(wake, module) wake.exec(
      './steps/page.py',
      config=module.inputs.settings {
        template: wake.ref('./page.html'),
        plot: module.modules.plot.outputs.svg,
        fit: module.modules.fit.outputs.fit,
        out: './site/index.html',
      },
    ),
  )
