// Cities and distances between them; the table of cities is generated from the data package.
function(wake)
  wake.pkg(
    wake.pkgInfo('geo', '1.0.0'),
    pkgs={
      checks: wake.getPkg(wake.pkgInfo('checks', '^1'), from='../checks'),
      toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from=wake.GLOBAL),
      cities: wake.getPkg(wake.pkgInfo('cities', '^2024'), from='../../data/cities'),
      pygen: wake.getPkg(wake.pkgInfo('pygen', '^1'), from='../../tools/pygen'),
    },
    files=wake.dir(['./include', './src']),
    inputs=function(wake, pkg) { include: wake.ref('./include') },
    modules={ gen: './gen.libsonnet', lib: './lib.libsonnet', tests: './tests.libsonnet' },
  )
