// The root file system: one static program from the machine, linked under the names of the required tools.
function(wake, pkg, config={})
  local options = { tools: ['awk', 'cat', 'mkdir', 'sh', 'sort', 'tr'] } + config;
  wake.module(
    name='os',
    pkgFiles=['./assemble.sh'],
    outputs=function(wake, pkg) { root: './root/' },
    exec=wake.exec('./assemble.sh', args=['./root'] + options.tools),
  )
