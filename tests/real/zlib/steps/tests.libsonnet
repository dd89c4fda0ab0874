// Does what `make test` does: `example` runs its checks, `minigzip` compresses and decompresses.
function(wake, pkg, config={})
  wake.module(
    name='tests',
    modules={ [name]: pkg.modules.program({ program: name }) for name in ['example', 'minigzip'] },
    pkgFiles=['./steps/tests.sh'],
    outputs=function(wake, pkg) { report: './report.txt' },
    exec=wake.exec(
      './steps/tests.sh',
      args=[wake.ref('modules.example.output.bin'), wake.ref('modules.minigzip.output.bin')],
    ),
  )
