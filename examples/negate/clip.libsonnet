// Two seconds of ffmpeg's test picture, uncompressed.
function(wake, pkg)
  wake.module(
    'clip',
    pkgFiles=[],
    outputs=function(wake, pkg) { clip: './clip.nut' },
    exec=wake.exec(
      wake.program('ffmpeg'),
      args=[
        '-loglevel',
        'error',
        '-f',
        'lavfi',
        '-i',
        'testsrc=size=320x240:rate=25:duration=2',
        '-c:v',
        'rawvideo',
        '-pix_fmt',
        'yuv420p',
        '-f',
        'nut',
        './clip.nut',
      ],
    ),
  )
