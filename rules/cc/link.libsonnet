// What units are combined into: archives, shared libraries, programs.

local rule = import '@rule/rule.libsonnet';

local tools = import './tools.libsonnet';
local units = import './units.libsonnet';

local isShared(file) = std.endsWith(file.path, '.so');

local name(file) = local parts = std.split(file.path, '/'); parts[std.length(parts) - 1];

// What the dependencies of `args` pass on to whatever links them.
local handed(args, module) =
  local outputs = [module.modules[dep].outputs for dep in args.deps];
  local all(name) = std.flatMap(function(dep) std.get(dep, name, []), outputs);
  {
    libs: rule.lasts(std.flatMap(function(dep)
      [dep[name] for name in ['archive', 'shared'] if std.objectHas(dep, name)] + std.get(dep, 'libs', []), outputs)),
    // Files of linker options.
    ldflags: rule.lasts(all('ldflags')),
    linkopts: rule.lasts(args.linkopts + all('linkopts')),
  };

local objects(module, srcs) = [module.modules[src].outputs.object for src in srcs];

local outputsOf(module) = { [key]: module.modules[key].outputs for key in std.objectFields(module.modules) };

// Links the units: `how` is a list of options, `beside` returns the libraries to put beside the result, `outputs` the outputs.
local linked(wake, pkg, args, how, beside, outputs) =
  local srcs = units.of(wake, args);
  wake.module(
    args.name,
    modules=units.modules(pkg, args, srcs) + rule.modules(pkg, args.call, args.deps) + tools.modules(pkg, args),
    pkgFiles=[],
    files=function(wake, module) handed(args, module).ldflags,
    outputs=function(wake, module) outputs(handed(args, module)),
    exec=function(wake, module)
      local libs = handed(args, module), chosen = tools.of(wake, args, outputsOf(module));
      local linker = if units.isCxx(srcs) then chosen.cxx else chosen.cc;
      local options = how + objects(module, srcs) + libs.libs + chosen.linkopts
                      + ['@' + file.path for file in libs.ldflags] + libs.linkopts;
      local shared = beside(libs);
      if shared == [] then wake.exec(wake.program(linker), args=options, rootfs=rule.root(wake, 'cc.packages'))
      else wake.exec(wake.own('./steps/beside.sh'), args=['' + std.length(shared)] + shared + [linker] + options, rootfs=rule.root(wake, 'cc.packages')),
    tags=args.tags,
  );

{
  // A library of headers: only its dependencies are linked.
  nothing(args):: function(wake, pkg)
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, args.deps),
      pkgFiles=[],
      outputs=function(wake, module) handed(args, module),
      tags=args.tags,
    ),

  archive(wake, pkg, args)::
    local srcs = units.of(wake, args), out = './lib%s.a' % args.name;
    wake.module(
      args.name,
      modules=units.modules(pkg, args, srcs) + rule.modules(pkg, args.call, args.deps) + tools.modules(pkg, args),
      pkgFiles=[],
      outputs=function(wake, module) handed(args, module) { archive: out },
      // `D` keeps times and owners out of the archive; `q` keeps objects of the same name.
      exec=function(wake, module)
        wake.exec(wake.program(tools.of(wake, args, outputsOf(module)).ar), args=['qcsD', out] + objects(module, srcs), rootfs=rule.root(wake, 'cc.packages')),
      tags=args.tags,
    ),

  shared(wake, pkg, args)::
    local out = './lib%s.so' % args.name;
    local how = ['-shared', '-Wl,-soname,lib%s.so' % args.name, '-o', out];
    linked(wake, pkg, args, how, function(libs) [], function(libs)
      libs { shared: out, libs: [lib for lib in libs.libs if isShared(lib)] }),

  // A program, with its shared libraries beside it, where it finds them.
  binary(wake, pkg, args)::
    local shared(libs) = [lib for lib in libs.libs if isShared(lib)];
    local how = ['-o', './' + args.out, '-Wl,-rpath,$ORIGIN/lib'];
    linked(
      wake,
      pkg,
      args,
      how,
      shared,
      function(libs) { bin: './' + args.out, lib: ['./lib/' + name(lib) for lib in shared(libs)] },
    ),

  // A test that runs the program of another module.
  run(args):: function(wake, pkg)
    local program = ':' + args.program, made = rule.targets(args.data);
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, [program] + made),
      pkgFiles=rule.paths(args.data),
      files=function(wake, module)
        rule.besideOf(module.modules[program].outputs) + rule.brought(wake, module, made),
      exec=function(wake, module) wake.exec(module.modules[program].outputs.bin, args=args.args, env=args.env, rootfs=rule.root(wake, 'cc.packages')),
      test=args.test,
      tags=args.tags,
    ),
}
