// Tests the rules for commands, trees and archives by their results.
local sh = import '@sh/rules.libsonnet';

function(wake)
  wake.pkg(
    wake.pkgInfo('sh-tests', '1.0.0', 'wake'),
    files=['./count.sh'] + wake.dir('texts/*'),
    pkgs={ sh: wake.getPkg(wake.pkgInfo('sh', '^1', 'wake'), from='..') },
    modules=sh.generate('counts', ['./count.sh', 'texts'], srcs=['texts/*'], out='counts.txt')
            + sh.run('sorted', 'sort -n counts.txt >sorted.txt', srcs=[':counts'], out='sorted.txt')
            + sh.generate('counter', ['cp', 'count.sh', 'counter'], srcs=['count.sh'])
            + sh.run('both', 'echo a >a; mkdir d; echo b >d/b', out=['a', 'd/b'])
            + sh.install(
              'tree',
              { 'bin/count': ':counter', 'share/': ['texts/*', ':sorted'], 'both/': ':both' },
              prefix='usr',
              modes={ 'share/one': '755' },
              links={ 'bin/also': 'count' },
            )
            + sh.archive('tar', [':tree', 'texts/*'], prefix='tree-1.0')
            + sh.archive('tar-xz', [':tree'], out='tree.tar.xz')
            + sh.archive('zip', [':tree', 'texts/*'], out='tree.zip')
            + sh.test('sorted-is', ['cmp', 'sorted.txt', 'texts/expected'], data=[':sorted', 'texts/expected'])
            + sh.test('tool-runs', ['bin/count', 'texts'], data=['texts/*'], tools={ 'bin/count': ':counter' }, env={ MIN: '1' })
            + sh.test(
              'tree-is',
              ['sh', '-euc', |||
                test "$(readlink root/usr/bin/also)" = count
                test -x root/usr/bin/also
                test -x root/usr/share/one
                test ! -x root/usr/share/two
                cmp root/usr/share/sorted.txt sorted.txt
                test "$(cat root/usr/both/a root/usr/both/b)" = "$(printf 'a\nb')"
              |||],
              data=[':tree', ':sorted'],
            )
            + sh.test(
              'archives-are',
              ['sh', '-euc', |||
                mkdir a b
                tar -C a -xzf tar.tar.gz
                tar -C b -xJf tree.tar.xz
                test "$(readlink b/usr/bin/also)" = count
                diff -r a/tree-1.0/usr b/usr
                tar -tvzf tar.tar.gz | grep -q '^-rwxr-xr-x 0/0 .* 1970-01-01 00:00 tree-1.0/usr/bin/count$'
                test "$(tar -tzf tar.tar.gz | grep -c .)" = "$(tar -tzf tar.tar.gz | LC_ALL=C sort -u | grep -c .)"
                python3 -m zipfile -l tree.zip | grep -q '^texts/one  *1980-01-01 00:00:00'
              |||],
              data=[':tar', ':tar-xz', ':zip'],
            ),
  )
