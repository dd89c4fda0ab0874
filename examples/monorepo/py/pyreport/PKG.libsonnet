// A Python program, packed with the library that it uses, and the report that it writes.
function(wake)
  wake.pkg(
    wake.pkgInfo('pyreport', '1.0.0'),
    pkgs={
      cities: wake.getPkg(wake.pkgInfo('cities', '^2024'), from='../../data/cities'),
      pystats: wake.getPkg(wake.pkgInfo('pystats', '^1'), from='../pystats'),
      toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from=wake.GLOBAL),
    },
    files=wake.dir('./src/*.py'),
    modules={ pyz: './pyz.libsonnet', cities: './cities.libsonnet' },
  )
