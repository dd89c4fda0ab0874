// The archive of all units.
function(wake, pkg, config={})
  local units = (import 'sources.libsonnet').library;
  wake.module(
    name='lib',
    modules={ [unit]: pkg.modules.unit({ unit: unit }) for unit in units },
    pkgFiles=['./steps/archive.sh'],
    // An archive names its members, so every object is linked in under the name of its unit.
    files=function(wake, module) [
      wake.file('./objects/%s.o' % unit, from=['modules', unit, 'output', 'object'])
      for unit in units
    ],
    outputs=function(wake, pkg) { archive: './liblua.a' },
    exec=wake.exec('./steps/archive.sh', args=['./liblua.a'] + ['./objects/%s.o' % unit for unit in units]),
  )
