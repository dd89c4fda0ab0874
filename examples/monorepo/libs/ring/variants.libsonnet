// Ten variants of one package, tested side by side: a config is data, so a loop creates them.
local capacities = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89];

function(wake, pkg, config={})
  wake.module(
    name='variants',
    modules={ ['of-%d' % n]: pkg.modules.check({ capacity: n }) for n in capacities },
    pkgFiles=['./src/join.sh'],
    outputs=function(wake, pkg) { report: './report.txt' },
    exec=wake.exec(
      './src/join.sh',
      args=['./report.txt'] + [wake.ref(['modules', 'of-%d' % n, 'output', 'report']) for n in capacities],
    ),
  )
