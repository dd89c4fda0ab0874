// Lua as a package; placed in its unpacked source.
function(wake)
  local sources = import 'steps/sources.libsonnet';
  wake.pkg(
    wake.pkgInfo('lua', '5.4.4'),
    files=['./src/%s.c' % unit for unit in sources.library + sources.programs]
          + wake.dir(['./src/*.h', './steps/*.sh', './steps/*.lua']),
    modules={
      unit: './steps/unit.libsonnet',
      lib: './steps/lib.libsonnet',
      lua: './steps/lua.libsonnet',
      luac: './steps/luac.libsonnet',
      script: './steps/script.libsonnet',
    },
  )
