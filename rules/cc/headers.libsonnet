// What a library offers to the units that include it: directories, defines, and generated headers.

local rule = import '@rule/rule.libsonnet';

// The extensions of headers, used when `hdrs` is not given.
local ends = ['h', 'hh', 'hpp', 'hxx', 'inc', 'inl', 'ipp', 'tcc'];
local anywhere = '{' + std.join(',', ['**/*.' + end for end in ends]) + ',}';

local dotted(dir) = if dir == '.' || dir == './' then './' else './' + std.stripChars(dir, './') + '/';

local all(deps, name) = std.flatMap(function(dep) std.get(dep, name, []), deps);

{
  // The patterns of `hdrs` that are not targets.
  patterns(hdrs):: if hdrs == null then [anywhere] else rule.paths(hdrs),

  // The headers of `hdrs` among the files of `pkg`.
  local listed(wake, pkg, hdrs) =
    if hdrs == null then [file for file in pkg.files if std.length([end for end in ends if std.endsWith(file, '.' + end)]) > 0]
    else std.setInter(std.set(rule.listed(wake, rule.paths(hdrs))), pkg.files),

  // The targets of `hdrs`, which generate headers.
  made(hdrs):: if hdrs == null then [] else rule.targets(hdrs),

  // Ids of the modules that describe what the `deps` of `args` offer, by target.
  needed(pkg, args):: {
    [dep]: rule.module(pkg, args.call, dep, if rule.isOwn(dep) then '.headers' else '.offered')()
    for dep in std.set(args.deps)
  },

  // What the targets `deps` offer to a unit of the package, from `outputs` by target. Headers of the package stay in place.
  offered(deps, outputs)::
    local inner = [outputs[dep] for dep in deps if rule.isOwn(dep)];
    local outer = [outputs[dep] for dep in deps if !rule.isOwn(dep)];
    {
      // Directories of this package.
      dirs: all(inner, 'dirs'),
      // Directories elsewhere.
      includes: all(inner, 'outer') + all(outer, 'include') + all(outer, 'beside'),
      // Headers of this package, for units that do not see all of them.
      hdrs: all(inner, 'hdrs'),
      // Generated headers of this package.
      made: all(inner, 'made'),
      // Files of compiler options.
      cflags: all(inner + outer, 'cflags'),
      defines: all(inner + outer, 'defines'),
      copts: all(inner + outer, 'copts'),
    },

  // The modules that describe a library's headers: to its own package, where they stay in place, and to other packages, for
  // which they are collected.
  modules(args, name):: {
    [name + '.headers']: inside(args, name + '.headers'),
    [name + '.offered']: outside(args, name + '.offered'),
  },

  local inside(args, name) = function(wake, pkg)
    local made = $.made(args.hdrs);
    wake.module(
      name,
      modules=needs(pkg, args),
      pkgFiles=[],
      outputs=function(wake, module)
        local offered = offeredTo(args, module);
        said(args, module) {
          dirs: rule.firsts(args.includes + offered.dirs),
          hdrs: rule.firsts(std.map(rule.undotted, listed(wake, pkg, args.hdrs)) + offered.hdrs),
          outer: rule.firsts(offered.includes),
          made: std.flatMap(function(target) rule.filesOf(module.modules[target].outputs), made) + offered.made,
        },
    ),

  local outside(args, name) = function(wake, pkg)
    local own = std.filter(rule.isOwn, args.deps);
    wake.module(
      name,
      modules=needs(pkg, args) + { ['offered' + dep]: rule.module(pkg, args.call, dep, '.offered')() for dep in std.set(own) },
      pkgFiles=if args.includes == [] then [] else $.patterns(args.hdrs),
      files=function(wake, module) rule.brought(wake, module, $.made(args.hdrs)),
      outputs=function(wake, module)
        local beside = std.flatMap(function(dep)
          local outputs = module.modules['offered' + dep].outputs;
          std.get(outputs, 'include', []) + std.get(outputs, 'beside', []), own);
        said(args, module) {
          include: [dotted(dir) for dir in args.includes],
          beside: rule.firsts(beside + offeredTo(args, module).includes),
        },
    ),

  local needs(pkg, args) =
    $.needed(pkg, args) + rule.modules(pkg, args.call, $.made(args.hdrs)),

  local offeredTo(args, module) = $.offered(args.deps, { [dep]: module.modules[dep].outputs for dep in std.set(args.deps) }),

  // What both modules report alike.
  local said(args, module) =
    local offered = offeredTo(args, module);
    {
      cflags: rule.firsts(offered.cflags),
      defines: rule.firsts(args.defines + offered.defines),
      copts: rule.firsts(offered.copts),
    },
}
