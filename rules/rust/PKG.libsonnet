// Rust.
function(wake)
  wake.pkg(
    wake.pkgInfo('rust', '1.0.0', 'wake'),
    files=wake.dir(['./*.libsonnet', './README.md', './steps/*.py']),
    pkgs={ rule: wake.getPkg(wake.pkgInfo('rule', '^1', 'wake'), from='../rule') },
    metadata={ description: 'Libraries, macros, programs and tests in Rust', license: 'MIT OR Apache-2.0' },
  )
