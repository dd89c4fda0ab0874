// The platform that every package of the company builds on. It adds the toolchain to the global namespace, where
// other packages get it with `from=wake.GLOBAL` without knowing its location.
function(wake)
  wake.pkg(
    wake.pkgInfo('platform', '1.0.0'),
    pkgs={ toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from='./toolchain', global=true) },
  )
