// Build scripts of a package's own crates: each is compiled, and run once for its crate.

local rule = import '@rule/rule.libsonnet';

local crates = import './crates.libsonnet';

// Runs the script among the files of the crate, with the environment that Cargo gives build scripts.
local run(args) = function(wake, pkg)
  local srcs = args.build_srcs + [args.build], made = rule.targets(srcs);
  wake.module(
    args.name + '.built',
    modules=rule.modules(pkg, args.call, [args.script] + made + crates.toolchains(args)),
    pkgFiles=rule.listed(wake, rule.paths(srcs), args.exclude),
    files=function(wake, module)
      rule.brought(wake, module, made)
      + crates.toolchainFiles(args, module)
      + [
        wake.own('./steps/script.py'),
        module.modules[args.script].outputs.bin,
        wake.file('./how.json', from={
          rustc: crates.compilerPath(wake, args, module),
          script: module.modules[args.script].outputs.bin.path,
          opt: wake.option('rust.opt', '2'),
          features: args.features,
          out: 'target/build/' + args.name,
        }, dump=true),
      ],
    outputs=function(wake, module) { out: './target/build/%s/' % args.name },
    exec=wake.exec(wake.program('python3'), args=[wake.own('./steps/run_script.py'), 'how.json'], env=crates.about(pkg, args), rootfs=rule.root(wake, 'rust.packages')),
    tags=args.tags,
  );

{
  // `NAME.script`, the program, and `NAME.built`, its output; no modules without a build script.
  modules(args)::
    if args.build == null then {}
    else {
      [args.name + '.script']: crates.binary(
        args {
          name: args.name + '.script',
          root: args.build,
          srcs: args.build_srcs,
          crate: 'build_script_build',
          deps: args.build_deps,
          aliases: {},
          build: null,
          tags: [],
        },
        'build-script'
      ),
      [args.name + '.built']: run(args { script: ':%s.script' % args.name }),
    },
}
