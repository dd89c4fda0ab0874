// What this package is: its files, and what the rules for commands make of them.
local sh = import '@sh/rules.libsonnet';

function(wake) wake.pkg(
  wake.pkgInfo('NAME', '0.1.0'),
  files=wake.dir(['*.sh', 'words.txt']),
  pkgs={ sh: wake.getPkg(wake.pkgInfo('sh', '^1', 'wake')) },
  modules=sh.generate('hello', ['./hello.sh', 'NAME'], srcs=['words.txt'])
          // Passes if its command exits with 0. What passed is remembered until something that it sees changes.
          + sh.test('check', './check.sh', tools={ hello: ':hello' }),
)
