// Tests the Python rules by their results.
local python = import '@python/rules.libsonnet', sh = import '@sh/rules.libsonnet';

function(wake)
  wake.pkg(
    wake.pkgInfo('python-tests', '1.0.0', 'wake'),
    files=wake.dir(['src/**', 'tests/*', 'wheels/*']) + ['./make_wheel.py'],
    pkgs={
      python: wake.getPkg(wake.pkgInfo('python', '^1', 'wake'), from='..'),
      sh: wake.getPkg(wake.pkgInfo('sh', '^1', 'wake'), from='../../sh'),
    },
    modules=python.library('shop', ['src/shop/*'], root='src', deps=[':prices'])
            + python.library('prices', [':table'])
            + sh.run('table', 'echo "apple = 3" >price_table.py', out='price_table.py')
            + python.wheels('site', lock='wheels/requirements.txt', wheels=['wheels/*.whl'])
            + python.binary('till', module='shop.till', deps=[':shop', ':site'])
            + python.binary('till-by-file', main='src/shop/till.py', deps=[':shop', ':site'])
            + python.test('tests', deps=[':shop', ':site'], data=['tests/words.txt'])
            + sh.test('programs-run', ['sh', '-euc', 'test "$(bin/a 2)" = "greeting 6"; test "$(bin/b 3)" = "greeting 9"'], tools={ 'bin/a': ':till', 'bin/b': ':till-by-file' }),
  )
