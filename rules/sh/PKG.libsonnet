// Commands, tests, trees and archives.
function(wake)
  wake.pkg(
    wake.pkgInfo('sh', '1.0.0', 'wake'),
    files=wake.dir(['./*.libsonnet', './steps/*']),
    pkgs={ rule: wake.getPkg(wake.pkgInfo('rule', '^1', 'wake'), from='../rule') },
  )
