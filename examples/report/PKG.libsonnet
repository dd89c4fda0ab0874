// A small report: measurements in, a page with a plot out, in three steps.
function(wake)
  wake.pkg(
    wake.pkgInfo('report', '0.3.0'),
    files=['./data/tea.csv', './page.html'] + wake.dir('./steps/*.py'),
    inputs=function(wake, pkg) {
      theme: { ink: '#22333b', accent: '#c44536', width: 640, height: 360 },
    },
    modules={
      fit: './fit.libsonnet',
      plot: './plot.libsonnet',
      page: './page.libsonnet',
    },
    metadata={ license: 'MIT OR Apache-2.0' },
  )
