// A codespec, a run that uses it, and a clip to try them with. Publishing this package shares the codespec.
function(wake)
  wake.pkg(
    wake.pkgInfo('negate', '0.1.0'),
    files=['./negating.yml', './negate.run.yml'],
    modules={ clip: './clip.libsonnet' },
    metadata={ license: 'MIT OR Apache-2.0' },
  )
