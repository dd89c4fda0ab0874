// Everything that is released to users, in its final layout, packed into one archive.
function(wake, pkg, config={})
  local programs = ['count', 'last', 'nearest'];
  local modules =
    { [name]: pkg.pkgs.apps.modules[name]() for name in programs }
    { cities: pkg.pkgs.pyreport.modules.cities(), manual: pkg.pkgs.docs.modules.manual(), pyz: pkg.pkgs.pyreport.modules.pyz() };
  wake.module(
    name='release',
    modules=modules,
    files=function(wake, module)
      [wake.file('./dist/bin/' + name, from='modules.%s.output.bin' % name) for name in programs] + [
        wake.file('./dist/bin/cities', from='modules.pyz.output.bin'),
        wake.file('./dist/share/cities.md', from='modules.cities.output.report'),
        wake.file('./dist/share/manual.txt', from='modules.manual.output.text'),
        wake.file('./dist/release.json', from={ version: pkg.pkgInfo.version, programs: programs + ['cities'] }, dump=true),
      ],
    outputs=function(wake, pkg) { archive: './release.tar', sums: './SHA256SUMS' },
    exec=wake.exec('pkg.bundle.input.bundle', args=['./dist', './release.tar', './SHA256SUMS']),
  )
