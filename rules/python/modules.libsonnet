// The modules that the rules make.

local rule = import '@rule/rule.libsonnet';

local plain(path) = if std.startsWith(path, './') then path[2:] else path;

local dotted(dir) = if dir == '.' || dir == './' then './' else './' + std.stripChars(plain(dir), '/') + '/';

// Files of the package that the code imports or reads.
local files(wake, args) = rule.listed(wake, rule.paths(args.srcs) + rule.paths(args.data), args.exclude);

local targets(args) = rule.targets(args.srcs + args.data);

// The directories from which `args` imports what it depends on.
local paths(args, module) = rule.firsts(std.flatMap(
  function(dep) local outputs = module.modules[dep].outputs; rule.filesOf(outputs) + std.get(outputs, 'path', []),
  args.deps
));

local interpreter(wake) = wake.program(wake.option('python.interpreter', 'python3'));

// Removes sources of variation between runs.
local still = { PYTHONDONTWRITEBYTECODE: '1', PYTHONHASHSEED: '0' };

local absolute(path) = '/work/' + std.rstripChars(plain(path), '/');

{
  library(args):: function(wake, pkg)
    local own = files(wake, args);
    local isBelow(path) = std.startsWith(path, dotted(args.root));
    if own != [] && targets(args) == [] && !std.any(std.map(isBelow, own))
    then error "%s: `root` is '%s', but no file of `srcs` is below it" % [args.call, args.root]
    else wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, args.deps + targets(args)),
      pkgFiles=own,
      files=function(wake, module) rule.brought(wake, module, targets(args)),
      outputs=function(wake, module) { out: dotted(args.root), path: paths(args, module) },
      tags=args.tags,
    ),

  wheels(args):: function(wake, pkg)
    local wheels = rule.listed(wake, args.wheels);
    wake.module(
      args.name,
      pkgFiles=[args.lock] + wheels,
      outputs=function(wake, module) { out: './site-packages/' },
      exec=wake.exec(
        interpreter(wake),
        args=[wake.own('./steps/wheels.py'), args.lock, 'site-packages'] + wheels,
        env=still,
        rootfs=rule.root(wake, 'python.packages'),
      ),
      tags=args.tags,
    ),

  // The program finds what it imports in `lib/NAME` beside itself.
  binary(args):: function(wake, pkg)
    local sources = std.set(files(wake, args) + (if args.main == null then [] else ['./' + plain(args.main)]));
    local pairs(module) =
      std.flatMap(function(path) [path, 'own/' + plain(path)], sources)
      + std.flatMap(
        function(target) std.flatMap(function(file) [file, 'own/' + plain(rule.placeOf(file))], rule.filesOf(module.modules[target].outputs)),
        targets(args)
      )
      + local dirs = paths(args, module); std.flatMap(function(i) [dirs[i], 'deps/%d' % i], std.range(0, std.length(dirs) - 1));
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, args.deps + targets(args)),
      pkgFiles=sources,
      outputs=function(wake, module) { bin: './' + args.name, lib: ['./lib/%s/' % args.name] },
      exec=function(wake, module)
        wake.exec(
          interpreter(wake),
          args=[wake.own('./steps/binary.py'), args.name, wake.option('python.interpreter', 'python3')]
               + (if args.main == null then ['module', args.module] else ['main', plain(args.main)])
               + [plain(args.root)]
               + pairs(module),
          env=still,
          rootfs=rule.root(wake, 'python.packages'),
        ),
      tags=args.tags,
    ),

  // Without a `src`: all tests.
  tests(args):: function(wake, pkg, config={ src: null })
    if config.src == null then all(wake, pkg, args) else one(wake, pkg, args, config.src),

  local all(wake, pkg, args) =
    local sources = [plain(path) for path in rule.listed(wake, args.srcs, args.exclude)];
    wake.module(
      args.name,
      modules={ [src]: pkg.modules[args.name]({ src: src }) for src in sources },
      pkgFiles=[],
      exec=wake.exec(wake.program('true'), rootfs=rule.root(wake, 'python.packages')),
      test=args.test,
      tags=args.tags,
    ),

  local one(wake, pkg, args, src) =
    local made = rule.targets(args.data);
    wake.module(
      args.name,
      label=src,
      modules=rule.modules(pkg, args.call, args.deps + made),
      pkgFiles=['./' + src] + rule.listed(wake, rule.paths(args.data), args.exclude),
      files=function(wake, module) paths(args, module) + rule.brought(wake, module, made),
      exec=function(wake, module)
        wake.exec(
          interpreter(wake),
          args=[wake.own('./steps/tests.py'), args.runner, src] + args.args,
          env=still + { PYTHONPATH: [absolute(args.root)] + [absolute(dir.path) for dir in paths(args, module)] } + args.env,
          rootfs=rule.root(wake, 'python.packages'),
        ),
      test=args.test,
      tags=args.tags,
    ),
}
