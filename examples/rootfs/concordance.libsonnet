// Built in a root file system that has only what `os` made. The config is JSON on standard input, as always.
function(wake, pkg, config={ least: 4 })
  wake.module(
    name='concordance',
    modules={ os: pkg.modules.os({}) },
    pkgFiles=['./concordance.sh', 'texts/*.txt'],
    outputs=function(wake, pkg) { words: './words.txt', lines: './lines/' },
    exec=wake.exec(
      './concordance.sh',
      config=config,
      args=[file for file in pkg.files if std.endsWith(file, '.txt')],
      rootfs=wake.ref('modules.os.output.root'),
    ),
  )
