// What is offered to those that include: directories, defines, and headers that are made.

local rule = import '@rule/rule.libsonnet';

// What the names of headers end in, where nobody says which there are.
local ends = ['h', 'hh', 'hpp', 'hxx', 'inc', 'inl', 'ipp', 'tcc'];
local anywhere = ['**/*.' + end for end in ends];

local dotted(dir) = if dir == '.' || dir == './' then './' else './' + std.stripChars(dir, './') + '/';

local all(deps, name) = std.flatMap(function(dep) std.get(dep, name, []), deps);

{
  // The patterns of `hdrs` that are no targets, and whatever matches `path` so that they match something.
  patterns(hdrs, path)::
    if hdrs != null then [path] + rule.paths(hdrs)
    else ['{' + std.join(',', [rule.escaped(std.lstripChars(path, './'))] + anywhere) + '}'],

  // The headers of `pkg` that lie there.
  lying(pkg, hdrs)::
    if hdrs != null then rule.paths(hdrs)
    else [file for file in pkg.files if std.length([end for end in ends if std.endsWith(file, '.' + end)]) > 0],

  // Targets among the headers, which make some.
  made(hdrs):: if hdrs == null then [] else rule.targets(hdrs),

  // What the targets `deps` offer to a unit of `pkg`, of `outputs` by target: what lies in the package stays there.
  offered(deps, outputs)::
    local inner = [outputs[dep] for dep in deps if rule.isOwn(dep)];
    local outer = [outputs[dep] for dep in deps if !rule.isOwn(dep)];
    {
      // Directories of this package.
      dirs: all(inner, 'dirs'),
      // Directories that lie elsewhere.
      includes: all(inner, 'outer') + all(outer, 'include') + all(outer, 'inner') + all(outer, 'outer'),
      // Headers of this package that are made.
      made: all(inner, 'made'),
      // Files with options for the compiler.
      cflags: all(inner + outer, 'cflags'),
      defines: all(inner + outer, 'defines'),
      copts: all(inner + outer, 'copts'),
    },

  // The module that collects the headers of a library.
  module(args, name):: function(wake, pkg)
    local made = $.made(args.hdrs);
    wake.module(
      name,
      modules=rule.modules(pkg, args.call, args.deps, '.headers') + rule.modules(pkg, args.call, made),
      pkgFiles=if args.includes == [] then [] else $.lying(pkg, args.hdrs),
      files=function(wake, module) rule.brought(wake, module, made),
      outputs=function(wake, module)
        local outputs = { [dep]: module.modules[dep].outputs for dep in args.deps };
        local inner = [outputs[dep] for dep in args.deps if rule.isOwn(dep)];
        local offered = $.offered(args.deps, outputs);
        {
          include: [dotted(dir) for dir in args.includes],
          // Of the same package: as directories of it, and for others as what was collected.
          dirs: { own: rule.firsts(args.includes + offered.dirs) }.own,
          inner: rule.firsts(all(inner, 'include') + all(inner, 'inner')),
          outer: rule.firsts(offered.includes),
          made: std.flatMap(function(target) rule.filesOf(module.modules[target].outputs), made) + offered.made,
          cflags: rule.firsts(offered.cflags),
          defines: rule.firsts(args.defines + offered.defines),
          copts: rule.firsts(offered.copts),
          linkopts: rule.lasts(std.get(args, 'linkopts', []) + all(std.objectValues(outputs), 'linkopts')),
        },
      tags=args.tags,
    ),
}
