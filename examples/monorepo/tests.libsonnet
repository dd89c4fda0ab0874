// Every test of the repository. A test is an ordinary module: it runs when something that it
// depends on has changed, and its report is its output.
function(wake, pkg, config={})
  local tested = ['apps', 'geo', 'ring', 'table', 'text'];
  wake.module(
    name='tests',
    modules={
      apps: pkg.pkgs.apps.modules.tests(),
      geo: pkg.pkgs.geo.modules.tests(),
      ring: pkg.pkgs.ring.modules.variants(),
      table: pkg.pkgs.table.modules.tests(),
      text: pkg.pkgs.text.modules.tests(),
    },
    files=function(wake, module) [
      wake.file('./reports/%s.txt' % name, from='modules.%s.output.report' % name)
      for name in tested
    ],
    outputs=function(wake, pkg) { reports: './reports/' },
  )
