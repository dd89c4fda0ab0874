// Rust: the rules that a package file calls. `README.md` describes the arguments.

local rule = import '@rule/rule.libsonnet';

local crates = import './crates.libsonnet';
local scripts = import './scripts.libsonnet';
local vendored = import './vendored.libsonnet';

local editions = ['2015', '2018', '2021', '2024'];

local isCrateName(text) =
  std.isString(text) && text != '' && !std.member('0123456789', text[0])
  && std.all([std.member('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_', c) for c in std.stringChars(text)]);

local crateName = rule.kind('a name of letters, digits and _', isCrateName, rule.quoted);

local lockText = rule.kind("the text of a Cargo.lock (importstr './Cargo.lock')", vendored.isLock, function(value) if std.isString(value) then 'another string' else rule.described(value));

local given(what, name, root, srcs, exclude, crate, edition, deps, aliases, features, env, rustcopts, build, build_deps, build_srcs, toolchain, tags) = {
  call: rule.call('rust.' + what, name),
  name: name,
  root: root,
  srcs: srcs,
  exclude: exclude,
  crate: crate,
  edition: edition,
  deps: deps,
  aliases: aliases,
  features: features,
  env: env,
  rustcopts: rustcopts,
  build: build,
  build_deps: build_deps,
  build_srcs: build_srcs,
  built: if build == null then null else ':%s.built' % name,
  toolchain: toolchain,
  tags: tags,
};

local kinds(args) = {
  name: [rule.text, args.name],
  root: [rule.text, args.root],
  srcs: [rule.texts.orNull, args.srcs],
  exclude: [rule.texts, args.exclude],
  crate: [crateName, args.crate],
  edition: [rule.oneOf(editions), args.edition],
  deps: [rule.texts, args.deps],
  aliases: [rule.textObject, args.aliases],
  features: [rule.texts, args.features],
  env: [rule.textObject, args.env],
  rustcopts: [rule.texts, args.rustcopts],
  build: [rule.text.orNull, args.build],
  build_deps: [rule.texts, args.build_deps],
  build_srcs: [rule.texts, args.build_srcs],
  toolchain: [rule.text.orNull, args.toolchain],
  tags: [rule.texts, args.tags],
};

// The name of a crate, from the name of its module.
local named(name) = if std.isString(name) then std.strReplace(name, '-', '_') else '_';

{
  // A library, `libCRATE.rlib`.
  library(
    name,
    root='src/lib.rs',
    srcs=null,
    exclude=[],
    crate=named(name),
    edition='2021',
    deps=[],
    aliases={},
    features=[],
    env={},
    rustcopts=[],
    build=null,
    build_deps=[],
    build_srcs=[],
    toolchain=null,
    tags=[],
  )::
    local args = given('library', name, root, srcs, exclude, crate, edition, deps, aliases, features, env, rustcopts, build, build_deps, build_srcs, toolchain, tags);
    rule.checked(args.call, kinds(args), scripts.modules(args) { [name]: crates.library(args) }),

  // A library of macros that the compiler runs, `libCRATE.so`.
  proc_macro(
    name,
    root='src/lib.rs',
    srcs=null,
    exclude=[],
    crate=named(name),
    edition='2021',
    deps=[],
    aliases={},
    features=[],
    env={},
    rustcopts=[],
    build=null,
    build_deps=[],
    build_srcs=[],
    toolchain=null,
    tags=[],
  )::
    local args = given('proc_macro', name, root, srcs, exclude, crate, edition, deps, aliases, features, env, rustcopts, build, build_deps, build_srcs, toolchain, tags);
    rule.checked(args.call, kinds(args), scripts.modules(args) { [name]: crates.procMacro(args) }),

  // A program.
  binary(
    name,
    root='src/main.rs',
    srcs=null,
    exclude=[],
    crate=named(name),
    edition='2021',
    deps=[],
    aliases={},
    features=[],
    env={},
    rustcopts=[],
    build=null,
    build_deps=[],
    build_srcs=[],
    toolchain=null,
    tags=[],
  )::
    local args = given('binary', name, root, srcs, exclude, crate, edition, deps, aliases, features, env, rustcopts, build, build_deps, build_srcs, toolchain, tags);
    rule.checked(args.call, kinds(args), scripts.modules(args) { [name]: crates.binary(args, name) }),

  // The tests of a crate, run with `args` beside the files of `data` and with access to the programs `bins`.
  test(
    name,
    root='src/lib.rs',
    srcs=null,
    exclude=[],
    crate=named(name),
    edition='2021',
    deps=[],
    aliases={},
    features=[],
    env={},
    rustcopts=[],
    build=null,
    build_deps=[],
    build_srcs=[],
    args=[],
    data=[],
    bins=[],
    test=true,
    toolchain=null,
    tags=[],
  )::
    local program = name + '.bin';
    local all = given('test', name, root, srcs, exclude, crate, edition, deps, aliases, features, env, rustcopts, build, build_deps, build_srcs, toolchain, tags);
    rule.checked(
      all.call,
      kinds(all) { args: [rule.texts, args], data: [rule.texts, data], bins: [rule.texts, bins], test: [rule.test, test] },
      local used = [rule.target(all.call, 'bins', bin) for bin in bins];
      scripts.modules(all) {
        [program]: crates.binary(all { name: program, rustcopts: ['--test'] + rustcopts, env: crates.binsEnv(used) + env, tags: [] }, name),
        [name]: crates.run(all { program: ':' + program, args: args, data: data, bins: used, test: test }),
      },
    ),

  // The external crates of `lock`, the text of a Cargo.lock, which `cargo vendor --versioned-dirs` has put into `dir`.
  vendored(name, lock, manifest='Cargo.toml', dir='vendor', features=null, toolchain=null)::
    local args = {
      call: rule.call('rust.vendored', name),
      name: name,
      lock: lock,
      manifest: './' + rule.undotted(manifest),
      dir: rule.undotted(dir),
      features: features,
      toolchain: toolchain,
    };
    rule.checked(
      args.call,
      {
        name: [rule.text, name],
        lock: [lockText, lock],
        manifest: [rule.text, manifest],
        dir: [rule.text, dir],
        features: [rule.texts.orNull, features],
        toolchain: [rule.text.orNull, toolchain],
      },
      vendored.modules(args),
    ),

  // A toolchain in the directory `dir` of the package, for the `toolchain` argument of the other rules.
  toolchain(name, dir=name)::
    local call = rule.call('rust.toolchain', name);
    rule.checked(call, { name: [rule.text, name], dir: [rule.text, dir] }, { [name]: crates.toolchain(name, dir) }),
}
