// Tests the C and C++ rules by their results.
local cc = import '@cc/rules.libsonnet', sh = import '@sh/rules.libsonnet';

function(wake)
  wake.pkg(
    wake.pkgInfo('cc-tests', '1.0.0', 'wake'),
    files=wake.dir(['ring/*', 'programs/*']),
    pkgs={
      cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake'), from='..'),
      sh: wake.getPkg(wake.pkgInfo('sh', '^1', 'wake'), from='../../sh'),
    },
    modules=cc.library('ring', ['ring/*.c'], includes=['ring'], defines=['RING_SIZE=4'], deps=[':sizes', ':math'])
            + cc.library('ring-shared', ['ring/*.c'], includes=['ring'], defines=['RING_SIZE=8'], deps=[':sizes', ':math'], shared=true)
            + cc.system('math', linkopts=['-lm'])
            // A generated header and a generated source.
            + cc.headers('sizes', hdrs=[':limits'], includes=['made'])
            + sh.run('limits', 'mkdir made && echo "#define RING_LIMIT 1024" >made/limits.h', out='made/limits.h')
            + sh.run('table', 'mkdir made && echo "const int table[] = { 1, 2, 3 };" >made/table.c', out='made/table.c')
            + cc.binary('tool', ['programs/tool.c', ':table'], deps=[':ring'])
            + cc.binary('tool-shared', ['programs/tool.c', ':table'], deps=[':ring-shared'])
            + cc.test('in-c', ['programs/check.c'], deps=[':ring'], args=['4'], data=['programs/words'])
            + cc.test('in-cxx', ['programs/check.cc'], deps=[':ring-shared'], copts=['-std=c++17'])
            + cc.toolchain('host')
            + cc.test('by-toolchain', ['programs/check.c'], deps=[':ring'], args=['4'], data=['programs/words'], toolchain=':host')
            + sh.test('tool-runs', ['sh', '-euc', 'test "$(bin/tool)" = "4 1024 6"; test "$(bin/shared)" = "8 1024 6"'], tools={ 'bin/tool': ':tool', 'bin/shared': ':tool-shared' })
            + sh.test('toolchain-is-found', ['grep', '-q', '"target": ".*linux', 'toolchain.json'], data=[':host']),
  )
