// The root file system: one static program from the machine, under the names of the tools that are needed.
function(wake, pkg, config={})
  local options = { tools: ['awk', 'cat', 'mkdir', 'sh', 'sort', 'tr'] } + config;
  wake.module(
    name='os',
    pkgFiles=['./assemble.sh'],
    outputs=function(wake, pkg) { root: './root/' },
    exec=wake.exec('./assemble.sh', args=['./root'] + options.tools),
  )
