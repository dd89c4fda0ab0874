// A buffer that keeps the last few lines; its capacity is set at compile time.
function(wake)
  wake.pkg(
    wake.pkgInfo('ring', '1.0.0'),
    pkgs={
      checks: wake.getPkg(wake.pkgInfo('checks', '^1'), from='../checks'),
      toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from=wake.GLOBAL),
    },
    files=wake.dir(['./include', './src']),
    inputs=function(wake, pkg) { include: wake.ref('./include') },
    modules={ lib: './lib.libsonnet', check: './check.libsonnet', variants: './variants.libsonnet' },
  )
