// What this package is: its files, and what the rules of Python make of them.
local python = import '@python/rules.libsonnet';

function(wake) wake.pkg(
  wake.pkgInfo('NAME', '0.1.0'),
  files=wake.dir(['src/*.py', 'tests/*.py']),
  pkgs={ python: wake.getPkg(wake.pkgInfo('python', '^1', 'wake')) },
  modules=python.library('greeting', ['src/greeting.py'], root='src')
          + python.binary('hello', main='src/main.py', deps=[':greeting'])
          // One step for each file of tests. What passed is remembered until something that it sees changes.
          + python.test('check', deps=[':greeting']),
)
