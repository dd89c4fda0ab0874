// What is offered to those that include: directories, defines, and headers that are made.

local rule = import '@rule/rule.libsonnet';

// What the names of headers end in, where nobody says which there are.
local ends = ['h', 'hh', 'hpp', 'hxx', 'inc', 'inl', 'ipp', 'tcc'];
local anywhere = '{' + std.join(',', ['**/*.' + end for end in ends]) + ',}';

local dotted(dir) = if dir == '.' || dir == './' then './' else './' + std.stripChars(dir, './') + '/';

local all(deps, name) = std.flatMap(function(dep) std.get(dep, name, []), deps);

{
  // The patterns of `hdrs` that are no targets.
  patterns(hdrs):: if hdrs == null then [anywhere] else rule.paths(hdrs),

  // The headers of `pkg` that lie there.
  local listed(wake, pkg, hdrs) =
    if hdrs == null then [file for file in pkg.files if std.length([end for end in ends if std.endsWith(file, '.' + end)]) > 0]
    else std.setInter(std.set(rule.listed(wake, rule.paths(hdrs))), pkg.files),

  // Targets among the headers, which make some.
  made(hdrs):: if hdrs == null then [] else rule.targets(hdrs),

  // Ids of the modules that say what the `deps` of `args` offer, by target.
  needed(pkg, args):: {
    [dep]: rule.module(pkg, args.call, dep, if rule.isOwn(dep) then '.headers' else '.offered')()
    for dep in std.set(args.deps)
  },

  // What the targets `deps` offer to a unit of `pkg`, of `outputs` by target: what lies in the package stays there.
  offered(deps, outputs)::
    local inner = [outputs[dep] for dep in deps if rule.isOwn(dep)];
    local outer = [outputs[dep] for dep in deps if !rule.isOwn(dep)];
    {
      // Directories of this package.
      dirs: all(inner, 'dirs'),
      // Directories that lie elsewhere.
      includes: all(inner, 'outer') + all(outer, 'include') + all(outer, 'beside'),
      // Headers of this package, for those who do not see all of them.
      hdrs: all(inner, 'hdrs'),
      // Headers of this package that are made.
      made: all(inner, 'made'),
      // Files with options for the compiler.
      cflags: all(inner + outer, 'cflags'),
      defines: all(inner + outer, 'defines'),
      copts: all(inner + outer, 'copts'),
    },

  // What a library says of its headers: in its package, where they stay in place, and to other packages, for which they
  // are collected.
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

  // What is said the same way to both.
  local said(args, module) =
    local offered = offeredTo(args, module);
    {
      cflags: rule.firsts(offered.cflags),
      defines: rule.firsts(args.defines + offered.defines),
      copts: rule.firsts(offered.copts),
    },
}
