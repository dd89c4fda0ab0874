// Commands, tests, trees and archives.
function(wake)
  wake.pkg(
    wake.pkgInfo('sh', '1.0.0', 'wake'),
    files=wake.dir(['./*.libsonnet', './README.md', './steps/*']),
    pkgs={ rule: wake.getPkg(wake.pkgInfo('rule', '^1', 'wake'), from='../rule') },
    metadata={ description: 'Commands, tests, trees and archives', license: 'MIT OR Apache-2.0' },
  )
