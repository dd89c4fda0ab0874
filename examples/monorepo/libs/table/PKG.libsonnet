// Tables of text with aligned columns.
function(wake)
  wake.pkg(
    wake.pkgInfo('table', '1.0.0'),
    pkgs={
      checks: wake.getPkg(wake.pkgInfo('checks', '^1'), from='../checks'),
      toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from=wake.GLOBAL),
      text: wake.getPkg(wake.pkgInfo('text', '^1'), from='../text'),
    },
    files=wake.dir(['./include', './src']),
    inputs=function(wake, pkg) { include: wake.ref('./include') },
    modules={ lib: './lib.libsonnet', tests: './tests.libsonnet' },
  )
