// An image based on another: the base's layers are unchanged, with one more on top.
function(wake, pkg)
  wake.module(
    'hello',
    modules={ base: pkg.modules.base({}) },
    outputs=function(wake, pkg) { image: './image/' },
    exec=function(wake, module) wake.image(
      base='module.base.output.image',
      files={
        '/usr/bin/hello': './hello.sh',
        '/usr/share/greeting.txt': { from: './greeting.txt', owner: '1000:1000' },
      },
      entrypoint=['/usr/bin/hello'],
      env={ WHO: 'world' },
      user='1000:1000',
      labels={ 'org.opencontainers.image.title': 'hello' },
    ),
  )
