// zlib as a package; placed in its unpacked source.
function(wake)
  local sources = import 'steps/sources.libsonnet';
  wake.pkg(
    wake.pkgInfo('zlib', '1.2.13'),
    files=['./%s.c' % unit for unit in sources.library + sources.programs] + wake.dir(['./*.h', './steps/*.sh']),
    modules={
      unit: './steps/unit.libsonnet',
      lib: './steps/lib.libsonnet',
      program: './steps/program.libsonnet',
      tests: './steps/tests.libsonnet',
    },
  )
