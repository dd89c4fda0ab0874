// One step per source.

local rule = import '@rule/rule.libsonnet';

local headers = import './headers.libsonnet';
local tools = import './tools.libsonnet';

local extension(path) = local parts = std.split(path, '.'); parts[std.length(parts) - 1];

local languages = {
  c: 'cc',
  S: 'cc',
  s: 'cc',
  cc: 'cxx',
  cpp: 'cxx',
  cxx: 'cxx',
  'c++': 'cxx',
  C: 'cxx',
};

{
  // The names of the units of `args`: paths of sources without `./`, and targets.
  of(wake, args)::
    [rule.undotted(path) for path in rule.listed(wake, rule.paths(args.srcs), args.exclude)] + std.set(rule.targets(args.srcs)),

  // Whether any source needs the C++ compiler.
  isCxx(srcs):: std.length([src for src in srcs if std.get(languages, extension(src)) == 'cxx']) > 0,

  // A module function: with a `src`, the unit of that source; else what `whole(wake, pkg, args)` makes from all units.
  andWhole(args, whole):: function(wake, pkg, config={ src: null })
    if config.src == null then whole(wake, pkg, args)
    else if rule.isTarget(config.src) then made(wake, pkg, args, config.src)
    else lying(wake, pkg, args, config.src),

  // Ids of the units, by name.
  modules(pkg, args, srcs):: { [src]: pkg.modules[args.name]({ src: src }) for src in srcs },

  local needs(pkg, args) =
    headers.needed(pkg, args)
    + rule.modules(pkg, args.call, headers.made(args.hdrs))
    + tools.modules(pkg, args),

  // The unit of a source of the package.
  local lying(wake, pkg, args, src) =
    local modules = needs(pkg, args);
    local compile(outputs) = command(wake, args, './' + src, outputs, tools.of(wake, args, outputs));
    wake.module(
      args.name,
      label=src,
      modules=modules,
      pkgFiles=['./' + src] + headers.patterns(args.hdrs),
      files=function(wake, module) brought(wake, args, outputsOf(module)),
      outputs=function(wake, pkg) { object: './' + src + '.o' },
      exec=if modules == {} then compile({}) else function(wake, module) compile(outputsOf(module)),
    ),

  // The unit of a source that another module generates.
  local made(wake, pkg, args, target) =
    local source(outputs) =
      local files = [file for file in rule.filesOf(outputs[target]) if std.objectHas(languages, extension(file.path))];
      if std.length(files) == 1 then files[0]
      else error '%s: `%s` makes %s sources; a unit has exactly one' % [args.call, target, std.length(files)];
    wake.module(
      args.name,
      label=target,
      modules=needs(pkg, args) + rule.modules(pkg, args.call, [target]),
      pkgFiles=headers.patterns(args.hdrs),
      files=function(wake, module)
        local outputs = outputsOf(module);
        brought(wake, args, outputs) + [wake.file(rule.placeOf(source(outputs)), from=source(outputs))],
      outputs=function(wake, module) { object: rule.placeOf(source(outputsOf(module))) + '.o' },
      exec=function(wake, module)
        local outputs = outputsOf(module);
        command(wake, args, rule.placeOf(source(outputs)), outputs, tools.of(wake, args, outputs)),
    ),

  local outputsOf(module) = { [key]: module.modules[key].outputs for key in std.objectFields(module.modules) },

  // The files beside the source that are not files of the package.
  local brought(wake, args, outputs) =
    local offered = headers.offered(args.deps, outputs);
    local made = offered.made + std.flatMap(function(target) rule.filesOf(outputs[target]), headers.made(args.hdrs));
    [wake.file(rule.placeOf(file), from=file) for file in rule.firsts(made)]
    + (if args.hdrs == null then [] else ['./' + path for path in offered.hdrs])
    + offered.includes
    + offered.cflags,

  local command(wake, args, src, outputs, tools) =
    local offered = headers.offered(args.deps, outputs);
    wake.exec(
      wake.program(tools[std.get(languages, extension(src), 'cc')]),
      args=['-c', src, '-o', src + '.o', '-MMD', '-MF', 'unit.d', '-ffile-prefix-map=/work/=', '-fdebug-prefix-map=/work=.']
           + tools.copts
           + (if args.pic then ['-fPIC'] else [])
           + ['-D' + define for define in std.get(args, 'defines', []) + offered.defines]
           + ['-I' + dir for dir in std.get(args, 'includes', []) + offered.dirs]
           + ['-I' + std.rstripChars(dir.path, '/') for dir in offered.includes]
           + ['@' + file.path for file in offered.cflags]
           + offered.copts
           + args.copts,
      depfile='./unit.d',
      rootfs=rule.root(wake, 'cc.packages'),
    ),
}
