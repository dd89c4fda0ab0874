local rust = import '@rust/rules.libsonnet';
local deps = [':' + name for name in ['bstr', 'clap', 'grep', 'ignore', 'lazy_static', 'log', 'num_cpus', 'regex', 'serde_json', 'termcolor']];
local tools = 'tools:rust';
function(wake) wake.pkg(
  wake.pkgInfo('ripgrep', '13.0.0'),
  files=wake.dir(['build.rs', 'crates/**', 'tests/**', 'Cargo.*', 'vendor/**'], exclude=['**/*.a']),
  pkgs={
    rust: wake.getPkg(wake.pkgInfo('rust', '^1', 'wake')),
    tools: wake.getPkg(wake.pkgInfo('tools', '*'), from='./tools'),
  },
  modules=rust.vendored('vendored', importstr './Cargo.lock', features=[], toolchain=tools)
          + rust.binary('rg', root='crates/core/main.rs', edition='2018', deps=deps, toolchain=tools,
                        build='build.rs', build_srcs=['crates/core/app.rs'], build_deps=[':clap', ':lazy_static'])
          + rust.test('unit', root='crates/core/main.rs', edition='2018', deps=deps, toolchain=tools)
          + rust.test('integration', root='tests/tests.rs', srcs=['tests/**'], edition='2018', deps=[':bstr', ':serde', ':serde_derive', ':serde_json', ':walkdir'],
                      bins=[':rg'], toolchain=tools),
)
