// C and C++: the rules that a package file calls. `README.md` describes the arguments.

local rule = import '@rule/rule.libsonnet';

local headers = import './headers.libsonnet';
local link = import './link.libsonnet';
local system = import './system.libsonnet';
local units = import './units.libsonnet';

// Arguments of every rule that compiles.
local compiled(args) = {
  srcs: [rule.texts, args.srcs],
  exclude: [rule.texts, args.exclude],
  hdrs: [rule.texts.orNull, args.hdrs],
  deps: [rule.texts, args.deps],
  copts: [rule.texts, args.copts],
  linkopts: [rule.texts, args.linkopts],
  toolchain: [rule.text.orNull, args.toolchain],
  tags: [rule.texts, args.tags],
};

{
  // A static or shared library of the objects of `srcs`.
  library(
    name,
    srcs=[],
    exclude=[],
    hdrs=null,
    includes=[],
    deps=[],
    defines=[],
    copts=[],
    linkopts=[],
    shared=false,
    pic=shared,
    toolchain=null,
    tags=[],
  )::
    local args = {
      call: rule.call('cc.library', name),
      name: name,
      srcs: srcs,
      exclude: exclude,
      hdrs: hdrs,
      includes: includes,
      deps: deps,
      defines: defines,
      copts: copts,
      linkopts: linkopts,
      shared: shared,
      pic: pic,
      toolchain: toolchain,
      tags: tags,
    };
    rule.checked(
      args.call,
      compiled(args) {
        name: [rule.text, name],
        includes: [rule.texts, includes],
        defines: [rule.texts, defines],
        shared: [rule.flag, shared],
        pic: [rule.flag, pic],
      },
      { [name]: units.andWhole(args, if shared then link.shared else link.archive) } + headers.modules(args, name),
    ),

  // A library of headers without sources.
  headers(name, hdrs=null, includes=[], deps=[], defines=[], linkopts=[], tags=[])::
    local args = {
      call: rule.call('cc.headers', name),
      name: name,
      hdrs: hdrs,
      includes: includes,
      deps: deps,
      defines: defines,
      linkopts: linkopts,
      tags: tags,
    };
    rule.checked(
      args.call,
      {
        name: [rule.text, name],
        hdrs: [rule.texts.orNull, hdrs],
        includes: [rule.texts, includes],
        deps: [rule.texts, deps],
        defines: [rule.texts, defines],
        linkopts: [rule.texts, linkopts],
        tags: [rule.texts, tags],
      },
      { [name]: link.nothing(args) } + headers.modules(args, name),
    ),

  // A program.
  binary(
    name,
    srcs=[],
    exclude=[],
    hdrs=null,
    deps=[],
    copts=[],
    linkopts=[],
    out=name,
    toolchain=null,
    tags=[],
  )::
    local args = {
      call: rule.call('cc.binary', name),
      name: name,
      srcs: srcs,
      exclude: exclude,
      hdrs: hdrs,
      deps: deps,
      copts: copts,
      linkopts: linkopts,
      out: out,
      pic: false,
      toolchain: toolchain,
      tags: tags,
    };
    rule.checked(
      args.call,
      compiled(args) { name: [rule.text, name], out: [rule.text, out] },
      { [name]: units.andWhole(args, link.binary) },
    ),

  // A program that runs as a test with `args`, beside the files of `data`.
  test(
    name,
    srcs=[],
    exclude=[],
    hdrs=null,
    deps=[],
    copts=[],
    linkopts=[],
    args=[],
    data=[],
    env={},
    test=true,
    toolchain=null,
    tags=[],
  )::
    local program = name + '.bin';
    local all = {
      call: rule.call('cc.test', name),
      name: program,
      srcs: srcs,
      exclude: exclude,
      hdrs: hdrs,
      deps: deps,
      copts: copts,
      linkopts: linkopts,
      out: name,
      pic: false,
      toolchain: toolchain,
      tags: [],
    };
    rule.checked(
      all.call,
      compiled(all) {
        name: [rule.text, name],
        args: [rule.texts, args],
        data: [rule.texts, data],
        env: [rule.textObject, env],
        test: [rule.test, test],
        tags: [rule.texts, tags],
      },
      {
        [program]: units.andWhole(all, link.binary),
        [name]: link.run(all { name: name, program: program, args: args, data: data, env: env, test: test, tags: tags }),
      },
    ),

  // Libraries of the root file system, given by linker options or by pkg-config name.
  system(name, linkopts=[], defines=[], copts=[]):: system.plain(name, linkopts, defines, copts),
  pkg_config(name, packages=[name]):: system.pkgConfig(name, packages),

  // A compiler and its options.
  toolchain(name, compiler='cc', prefix='', copts=[], linkopts=[]):: system.toolchain(name, compiler, prefix, copts, linkopts),
}
