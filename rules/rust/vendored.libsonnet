// The crates of a Cargo.lock, from a directory made by `cargo vendor`.

local rule = import '@rule/rule.libsonnet';

local crates = import './crates.libsonnet';

// The external packages of a lock: `name`, `version`, and their dependencies as written.
local packages(lock) =
  local value(lines, key) =
    local start = key + ' = "', found = [line for line in lines if std.startsWith(line, start)];
    if found == [] then null else std.rstripChars(found[0][std.length(start):], '"\r');
  local of(block) =
    local lines = std.split(block, '\n');
    {
      name: value(lines, 'name'),
      version: value(lines, 'version'),
      source: value(lines, 'source'),
      dependencies: [std.split(std.stripChars(line, ' ",\r'), ' ') for line in lines if std.startsWith(line, ' "')],
    };
  [package for package in std.map(of, std.split(lock, '[[package]]')[1:]) if package.source != null];

local id(package) = '%s-%s' % [package.name, package.version];

{
  isLock(text):: std.isString(text) && std.length(std.findSubstr('[[package]]', text)) > 0,

  modules(args)::
    local all = packages(args.lock);
    local sameName = { [name]: std.length([0 for package in all if package.name == name]) for name in std.set([package.name for package in all]) };
    // The name of a package's module; it includes the version if several versions are locked.
    local called(package) = if sameName[package.name] == 1 then package.name else id(package);
    local needed(package) = [
      other
      for dependency in package.dependencies
      for other in all
      if other.name == dependency[0] && (std.length(dependency) == 1 || other.version == dependency[1])
    ];
    { [args.name]: plan(args, all) } + { [called(package)]: one(args, package, needed(package), called) for package in all },

  local manifests(pkg, args, all) =
    local paths = ['./%s/%s/Cargo.toml' % [args.dir, id(package)] for package in all];
    local missing = std.setDiff(std.set(paths), pkg.files);
    if missing == [] then paths
    else error "%s: `%s` is not among the package's `files`; create it with `cargo vendor --versioned-dirs`" % [args.call, rule.undotted(missing[0])],

  // The plan: how each crate is compiled, according to its manifest.
  local plan(args, all) = function(wake, pkg)
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, crates.toolchains(args)),
      pkgFiles=[args.manifest] + manifests(pkg, args, all)
               + ['{%s/*/build.rs,}' % args.dir],
      files=function(wake, module) [wake.file('./locked.toml', text=args.lock)] + crates.toolchainFiles(args, module),
      outputs=function(wake, module) { [id(package)]: './plan/%s.json' % id(package) for package in all },
      exec=function(wake, module)
        wake.exec(
          wake.program('python3'),
          args=[wake.own('./steps/plan.py'), crates.compilerPath(wake, args, module), 'locked.toml', args.manifest, args.dir, 'plan']
               + (if args.features == null then [] else ['--features'] + args.features),
          rootfs=rule.root(wake, 'rust.packages'),
        ),
      tags=['manual'],
    ),

  local one(args, package, needed, called) = function(wake, pkg)
    local dir = './%s/%s' % [args.dir, id(package)];
    local dirsOf(module) = { [id(other)]: module.modules[called(other)].outputs for other in needed };
    local below(module) =
      rule.firsts(std.flatMap(function(outputs) [outputs.lib_dir] + outputs.libs, std.objectValues(dirsOf(module))));
    wake.module(
      called(package),
      modules={ [called(other)]: pkg.modules[called(other)]() for other in needed }
              + { plan: pkg.modules[args.name]() }
              + rule.modules(pkg, args.call, crates.toolchains(args)),
      pkgFiles=[std.strReplace(path, 'Cargo.toml', '**') for path in manifests(pkg, args, [package])],
      files=function(wake, module)
        below(module)
        + crates.toolchainFiles(args, module)
        + [
          wake.own('./steps/script.py'),
          wake.file('./how.json', from={
            rustc: crates.compilerPath(wake, args, module),
            dir: dir,
            opt: wake.option('rust.opt', '2'),
            libs: { [key]: dirsOf(module)[key].lib_dir.path for key in std.objectFields(dirsOf(module)) },
            below: [file.path for file in below(module)],
          }, dump=true),
        ],
      outputs=function(wake, module)
        { crate: std.strReplace(package.name, '-', '_'), lib_dir: './lib/', libs: below(module) },
      exec=function(wake, module)
        wake.exec(
          wake.program('python3'),
          args=[wake.own('./steps/crate.py'), module.modules.plan.outputs[id(package)], 'how.json'],
          rootfs=rule.root(wake, 'rust.packages'),
        ),
      tags=['manual'],
    ),
}
