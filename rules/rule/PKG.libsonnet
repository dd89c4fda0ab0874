// What rules are written with.
function(wake)
  wake.pkg(
    wake.pkgInfo('rule', '1.0.0', 'wake'),
    files=['./rule.libsonnet'],
  )
