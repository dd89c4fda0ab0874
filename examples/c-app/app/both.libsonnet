// Debug and release side by side. A module without an `exec` only collects: each file is a link to
// the output of another module.
function(wake, pkg, config={})
  local profiles = ['debug', 'release'];
  wake.module(
    name='both',
    pkgFiles=[],
    modules={ [profile]: pkg.modules.app({ profile: profile }) for profile in profiles },
    files=function(wake, module) [
      wake.file('./bin/app-' + profile, from='modules.%s.output.bin' % profile)
      for profile in profiles
    ],
    outputs=function(wake, pkg) { [profile]: './bin/app-' + profile for profile in profiles },
  )
