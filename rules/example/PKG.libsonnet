// A C program with a library, a generated table, tests in C and shell, and a release archive.
local cc = import '@cc/rules.libsonnet', sh = import '@sh/rules.libsonnet';

function(wake)
  wake.pkg(
    wake.pkgInfo('example', '1.0.0'),
    files=wake.dir(['src/*', 'lib/*', 'tests/*', 'README.md', 'vowels.txt', 'table.sh']),
    pkgs={
      cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake'), from='../cc'),
      sh: wake.getPkg(wake.pkgInfo('sh', '^1', 'wake'), from='../sh'),
    },
    modules=sh.generate('table', ['./table.sh', 'vowels.txt'], srcs=['vowels.txt'], out='vowels.c')
            + cc.library('vowels', ['lib/*.c', ':table'], includes=['lib'])
            + cc.binary('count', ['src/*.c'], deps=[':vowels'])
            + cc.test('library', ['tests/*.c'], deps=[':vowels'])
            + sh.test('program', ['tests/program.sh'], data=['tests/expected'], tools={ 'bin/count': ':count' })
            + sh.install('tree', { 'bin/': ':count', 'share/doc/count/': 'README.md' }, prefix='usr', links={ 'bin/vowels': 'count' })
            + sh.archive('release', [':tree'], out='count-1.0.0.tar.xz', tags=['manual']),
  )
