local program = import 'program.libsonnet';

// The same library that other packages use with ten lines, here with three.
function(wake, pkg, config={ lines: 3 })
  program(wake, pkg, 'last', ['ring'], configs={ ring: { capacity: config.lines } })
