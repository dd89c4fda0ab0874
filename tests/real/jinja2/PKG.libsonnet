local python = import '@python/rules.libsonnet';
function(wake) wake.pkg(
  wake.pkgInfo('jinja2', '3.1.2'),
  files=wake.dir(['src/jinja2/*', 'tests/**', 'setup.cfg', 'requirements.txt', 'wheels/*']),
  pkgs={ python: wake.getPkg(wake.pkgInfo('python', '^1', 'wake')) },
  modules=python.wheels('site')
          + python.library('jinja2', ['src/jinja2/*'], root='src', deps=[':site'])
          + python.test('tests', deps=[':jinja2'], runner='pytest', data=['setup.cfg', 'tests/conftest.py', 'tests/res/**']),
)
