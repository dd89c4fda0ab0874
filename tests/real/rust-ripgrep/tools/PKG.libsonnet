local rust = import '@rust/rules.libsonnet';
function(wake) wake.pkg(
  wake.pkgInfo('tools', '1.0.0'),
  files=wake.dir(['rust/**']),
  pkgs={ rust: wake.getPkg(wake.pkgInfo('rust', '^1', 'wake')) },
  modules=rust.toolchain('rust'),
)
