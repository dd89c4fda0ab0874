function(wake) wake.pkg(
  wake.pkgInfo('monitoring', '1.0.0'),
  imports=['./vendor'],
  modules={ rules: './rules.libsonnet' },
)
