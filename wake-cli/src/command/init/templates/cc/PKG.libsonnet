// What this package is: its files, and what the rules of C and C++ make of them.
local cc = import '@cc/rules.libsonnet';

function(wake) wake.pkg(
  wake.pkgInfo('NAME', '0.1.0'),
  files=wake.dir(['src/*', 'tests/*']),
  pkgs={ cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake')) },
  modules=cc.library('greeting', ['src/greeting.c'], includes=['src'])
          + cc.binary('hello', ['src/main.c'], deps=[':greeting'])
          // Passes if its program exits with 0. What passed is remembered until something that it sees changes.
          + cc.test('check', ['tests/check.c'], deps=[':greeting']),
)
