// What this package is: its files, and what the rules of Rust make of them. The compiler is the system's `rustc`;
// for one of rustup's see `toolchain` on the page of the rules.
local rust = import '@rust/rules.libsonnet';

function(wake) wake.pkg(
  wake.pkgInfo('NAME', '0.1.0'),
  files=wake.dir(['src/*.rs']),
  pkgs={ rust: wake.getPkg(wake.pkgInfo('rust', '^1', 'wake')) },
  modules=rust.library('greeting', srcs=[])
          + rust.binary('hello', srcs=[], deps=[':greeting'])
          // The tests in `src/lib.rs`. What passed is remembered until something that it sees changes.
          + rust.test('check', srcs=[]),
)
