// Widths of UTF-8 text.
function(wake)
  wake.pkg(
    wake.pkgInfo('text', '1.0.0'),
    pkgs={
      checks: wake.getPkg(wake.pkgInfo('checks', '^1'), from='../checks'),
      toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from=wake.GLOBAL),
    },
    files=wake.dir(['./include', './src']),
    inputs=function(wake, pkg) { include: wake.ref('./include') },
    modules={ lib: './lib.libsonnet', tests: './tests.libsonnet' },
  )
