// Helpers for writing rules.
function(wake)
  wake.pkg(
    wake.pkgInfo('rule', '1.0.0', 'wake'),
    files=['./rule.libsonnet', './README.md'],
    metadata={ description: 'Helpers for writing rules: checked arguments, names of modules, files of targets', license: 'MIT OR Apache-2.0' },
  )
