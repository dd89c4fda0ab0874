// C and C++.
function(wake)
  wake.pkg(
    wake.pkgInfo('cc', '1.0.0', 'wake'),
    files=wake.dir(['./*.libsonnet', './README.md', './steps/*.sh']),
    pkgs={ rule: wake.getPkg(wake.pkgInfo('rule', '^1', 'wake'), from='../rule') },
    metadata={ description: 'Libraries, programs and tests in C and C++', license: 'MIT OR Apache-2.0' },
  )
