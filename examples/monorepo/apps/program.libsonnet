// One program from one source file and the archives of some libraries, in the order of linking.
function(wake, pkg, name, libs, configs={})
  local configured(lib) =
    if std.objectHas(configs, lib)
    then pkg.pkgs[lib].modules.lib(configs[lib])
    else pkg.pkgs[lib].modules.lib();
  wake.module(
    name=name,
    modules={ [lib]: configured(lib) for lib in libs },
    pkgFiles=['./src/%s.c' % name],
    outputs=function(wake, pkg) { bin: './bin/' + name },
    exec=wake.exec(
      'pkg.toolchain.input.cc',
      args=['./bin/' + name] + pkg.pkgs.toolchain.inputs.cflags
           + std.flatMap(function(lib) ['-I', wake.ref('pkg.%s.input.include' % lib)], libs)
           + ['./src/%s.c' % name]
           + [wake.ref('modules.%s.output.archive' % lib) for lib in libs],
    ),
  )
