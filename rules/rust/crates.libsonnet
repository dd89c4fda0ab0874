// The modules that the rules make: one step per crate.

local rule = import '@rule/rule.libsonnet';

local dirOf(path) = local parts = std.split(path, '/'); std.join('/', parts[:std.length(parts) - 1]);

// The default sources of a crate: those beside its root and, if the root is in a subdirectory, below it.
local beside(root) = local dir = dirOf(rule.undotted(root)); if dir == '' then '{*.rs,}' else '{%s/**/*.rs,}' % dir;

// The name of a target in its package.
local nameOf(target) = std.splitLimit(target, ':', 1)[1];

local outputsOf(module, targets) = [module.modules[target].outputs for target in targets];

// The compiler options for a dependency: the file of a crate of a package, the directory of a vendored one.
local extern(args, module, dep) =
  local outputs = module.modules[dep].outputs;
  if !std.objectHas(outputs, 'crate') then error '%s: `%s` is not a crate' % [args.call, dep]
  else if std.objectHas(outputs, 'lib_file') then ['--extern=%s=%s' % [std.get(args.aliases, dep, outputs.crate), outputs.lib_file.path]]
  else if std.objectHas(args.aliases, dep) then error '%s: `%s` is a vendored crate, which cannot have an alias' % [args.call, dep]
  else ['-Lcrate=' + outputs.lib_dir.path, '--extern=' + outputs.crate];

// All transitive libraries of the dependencies, each once: files, and directories of vendored crates.
local below(args, module) = rule.firsts(std.flatMap(
  function(dep) [dep[name] for name in ['lib_file', 'lib_dir'] if std.objectHas(dep, name)] + std.get(dep, 'libs', []),
  outputsOf(module, args.deps)
));

// The environment that Cargo gives a crate about its package, and the caller's `env`.
local about(pkg, args) =
  local numbers = std.split(std.split(std.split(pkg.pkgInfo.version, '+')[0], '-')[0], '.');
  {
    CARGO_CRATE_NAME: args.crate,
    CARGO_MANIFEST_DIR: '/work',
    CARGO_PKG_AUTHORS: '',
    CARGO_PKG_NAME: pkg.pkgInfo.name,
    CARGO_PKG_VERSION: pkg.pkgInfo.version,
    CARGO_PKG_VERSION_MAJOR: numbers[0],
    CARGO_PKG_VERSION_MINOR: numbers[1],
    CARGO_PKG_VERSION_PATCH: numbers[2],
  } + args.env;

// The output of the crate's build script, if it has one, at the path where it was made.
local built(args, module) = if args.build == null then [] else rule.filesOf(module.modules[args.built].outputs);

local toolchains(args) = if args.toolchain == null then [] else [args.toolchain];

// The compiler, which finds the rest of its toolchain beside itself.
local compiler(wake, args, module) =
  if args.toolchain == null then wake.program(wake.option('rust.rustc', 'rustc'))
  else module.modules[args.toolchain].outputs.out { path+: 'bin/rustc' };

// The compiler for a step that calls it: a path, or a name.
local compilerPath(wake, args, module) =
  if args.toolchain == null then wake.option('rust.rustc', 'rustc')
  else module.modules[args.toolchain].outputs.out.path + 'bin/rustc';

// Runs a copy of a program at another place.
local copied = 'mkdir -p target/deps; cp "$1" "$0"; shift; exec "$0" "$@"';

// The root of the crate, after checking the arguments.
local rootOf(pkg, args) =
  local root = './' + rule.undotted(args.root);
  local others = [dep for dep in std.objectFields(args.aliases) if !std.member(args.deps, dep)];
  if others != [] then error '%s: `aliases` names `%s`, which is not among `deps`' % [args.call, others[0]]
  else if !std.member(pkg.files, root) then error "%s: the root `%s` is not among the package's `files`" % [args.call, args.root]
  else root;

// Compiles the crate as `kind` to the file `out`; `outputs` returns the module's outputs, given its libraries.
local compiled(wake, pkg, args, kind, out, outputs) =
  local srcs = if args.srcs == null then [beside(args.root)] else args.srcs, made = rule.targets(srcs);
  local sources = std.set(rule.listed(wake, rule.paths(srcs), args.exclude) + [rootOf(pkg, args)]);
  wake.module(
    args.name,
    modules=rule.modules(pkg, args.call, args.deps + made + toolchains(args) + (if args.build == null then [] else [args.built])),
    pkgFiles=sources,
    files=function(wake, module)
      rule.brought(wake, module, made)
      + [wake.file(rule.placeOf(file), from=file) for file in built(args, module)]
      + below(args, module)
      + [module.modules[toolchain].outputs.out for toolchain in toolchains(args)],
    outputs=function(wake, module) outputs(below(args, module)),
    exec=function(wake, module)
      wake.exec(
        if args.build == null then compiler(wake, args, module) else wake.program('python3'),
        args=(if args.build == null then [] else [wake.own('./steps/built.py'), built(args, module)[0].path, compilerPath(wake, args, module)])
             + [
               rule.undotted(args.root),
               '--crate-name=' + args.crate,
               '--crate-type=' + kind,
               '--edition=' + args.edition,
               '-o',
               out,
               '-Cmetadata=%s:%s' % [pkg.pkgInfo.name, args.name],
               '-Copt-level=' + wake.option('rust.opt', '2'),
               '-Ccodegen-units=1',
               '--remap-path-prefix=/work=.',
             ]
             + (if wake.option('rust.debug', false) then ['-Cdebuginfo=2'] else [])
             + (if kind == 'proc-macro' then ['--extern=proc_macro'] else [])
             + ['--cfg=feature="%s"' % feature for feature in args.features]
             + ['-Ldependency=' + dir for dir in rule.firsts([dirOf(file.path) for file in below(args, module)])]
             + std.flatMap(function(dep) extern(args, module, dep), args.deps)
             + args.rustcopts,
        env=about(pkg, args),
        rootfs=rule.root(wake, 'rust.packages'),
      ),
    tags=args.tags,
  );

{
  toolchains:: toolchains,

  toolchainFiles(args, module):: [module.modules[toolchain].outputs.out for toolchain in toolchains(args)],

  compilerPath:: compilerPath,

  library(args):: function(wake, pkg)
    local out = './lib%s.rlib' % args.crate;
    compiled(wake, pkg, args, 'rlib', out, function(libs) { crate: args.crate, lib_file: out, libs: libs }),

  // The dependencies of a macro are not passed on.
  procMacro(args):: function(wake, pkg)
    local out = './lib%s.so' % args.crate;
    compiled(wake, pkg, args, 'proc-macro', out, function(libs) { crate: args.crate, lib_file: out, libs: [] }),

  // A program at `out`, which may have any name.
  binary(args, out):: function(wake, pkg)
    compiled(wake, pkg, args, 'bin', './' + out, function(libs) { bin: './' + out }),

  about:: about,

  // The variables by which Cargo tells a test where the programs `bins` are.
  binsEnv(bins):: { ['CARGO_BIN_EXE_' + nameOf(bin)]: '/work/target/' + nameOf(bin) for bin in bins },

  // With programs, files are laid out as by Cargo: programs in `target`, the test in `target/deps`, where it expects to be.
  run(args):: function(wake, pkg)
    local made = rule.targets(args.data), place = './target/deps/' + args.name;
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, [args.program] + args.bins + made),
      pkgFiles=rule.paths(args.data),
      files=function(wake, module)
        rule.brought(wake, module, made)
        + std.flatMap(function(bin) rule.besideOf(module.modules[bin].outputs), args.bins)
        + [
          wake.file('./target/' + nameOf(bin), from=rule.fileOf(args.call, bin, module.modules[bin].outputs))
          for bin in args.bins
        ],
      exec=function(wake, module)
        local program = module.modules[args.program].outputs.bin, env = about(pkg, args);
        if args.bins == [] then wake.exec(program, args=args.args, env=env, rootfs=rule.root(wake, 'rust.packages'))
        else wake.exec(wake.program('sh'), args=['-euc', copied, place, program] + args.args, env=env, rootfs=rule.root(wake, 'rust.packages')),
      test=args.test,
      tags=args.tags,
    ),

  toolchain(name, dir):: function(wake, pkg)
    wake.module(
      name,
      pkgFiles=['%s/**' % rule.undotted(dir)],
      outputs=function(wake, module) { out: './%s/' % std.stripChars(rule.undotted(dir), '/') },
    ),
}
