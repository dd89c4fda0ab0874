// The programs. Their module files share `program.libsonnet`: imports stay inside a package, so packages share
// code internally and share only values with other packages.
function(wake)
  local lib(name) = wake.getPkg(wake.pkgInfo(name, '^1'), from='../libs/' + name);
  wake.pkg(
    wake.pkgInfo('apps', '1.0.0'),
    pkgs={
      checks: lib('checks'),
      geo: lib('geo'),
      ring: lib('ring'),
      table: lib('table'),
      text: lib('text'),
      toolchain: wake.getPkg(wake.pkgInfo('toolchain', '^1'), from=wake.GLOBAL),
    },
    files=wake.dir('./src/*.c') + wake.dir('./expected/*'),
    modules={
      count: './count.libsonnet',
      last: './last.libsonnet',
      nearest: './nearest.libsonnet',
      tests: './tests.libsonnet',
    },
  )
