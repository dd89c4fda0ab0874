local cc = import '@cc/rules.libsonnet', sh = import '@sh/rules.libsonnet';
function(wake) wake.pkg(
  wake.pkgInfo('ninja', '1.11.1'),
  files=wake.dir(['src/*']),
  pkgs={
    cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake')),
    sh: wake.getPkg(wake.pkgInfo('sh', '^1', 'wake')),
  },
  modules=cc.library('lib', ['src/*.cc'], exclude=['src/{ninja,browse,test,hash_collision_bench,*-win32,*test,*.in}.cc'])
          + sh.run('page', 'mkdir build && sh src/inline.sh kBrowsePy <src/browse.py >build/browse_py.h', ['src/inline.sh', 'src/browse.py'], out='build/browse_py.h')
          + cc.binary('ninja', ['src/{ninja,browse}.cc'], hdrs=['src/*.h', ':page'], deps=[':lib'], copts=['-I.', '-DNINJA_HAVE_BROWSE', '-DNINJA_PYTHON="python3"'])
          + cc.test('tests', ['src/{*_test,test}.cc'], exclude=['src/{includes_normalize,msvc_helper}_test.cc'], deps=[':lib']),
)
