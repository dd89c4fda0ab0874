// Combines text, numbers and plot into one self-contained page.
function(wake, pkg, config={})
  local options = { title: 'How tea cools', author: null } + config;
  wake.module(
    name='page',
    modules={ fit: pkg.modules.fit(), plot: pkg.modules.plot() },
    pkgFiles=['./steps/page.py', './page.html'],
    inputs=function(wake, module) { settings: options },
    outputs=function(wake, pkg) { site: './site/' },
    // `exec` may be a function: it is called once the modules it depends on are built, so it
    // can compute with their outputs.
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
