// Python.
function(wake)
  wake.pkg(
    wake.pkgInfo('python', '1.0.0', 'wake'),
    files=wake.dir(['./*.libsonnet', './README.md', './steps/*']),
    pkgs={ rule: wake.getPkg(wake.pkgInfo('rule', '^1', 'wake'), from='../rule') },
    metadata={ description: 'Libraries, programs and tests in Python, and wheels from a lock file', license: 'MIT OR Apache-2.0' },
  )
