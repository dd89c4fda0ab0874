// What every package of the company stands on. It enters the toolchain into the global namespace, where
// others take it with `from=wake.GLOBAL` and without knowing where it lives.
function(wake)
  wake.pkg(
    wake.pkgInfo('platform', '1.0.0'),
    pkgs={ toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from='./toolchain', global=true) },
  )
