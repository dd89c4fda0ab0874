// The toolchain that this repository uses: the tools of 1.0 with stricter flags.
//
// It passes on values of the package that it extends. All other packages get the toolchain from the
// global namespace, so this file changes the flags of every C program in the repository.
function(wake)
  wake.pkg(
    wake.pkgInfo('toolchain', '1.1.0'),
    pkgs={ base: wake.getPkg(wake.pkgInfo('toolchain', '=1.0.0'), from='../platform/toolchain') },
    inputs=function(wake, pkg) pkg.pkgs.base.inputs {
      cflags+: ['-O2', '-D_FORTIFY_SOURCE=2', '-fstack-protector-strong'],
    },
  )
