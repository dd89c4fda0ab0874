// Commands, tests, trees and archives: the rules that a package file calls. `README.md` describes the arguments.

local rule = import '@rule/rule.libsonnet';

local command = import './command.libsonnet';
local trees = import './trees.libsonnet';

// Arguments of every rule that runs a command.
local kinds(args) = {
  name: [rule.text, args.name],
  srcs: [rule.texts, args.srcs],
  exclude: [rule.texts, args.exclude],
  tools: [rule.textObject, args.tools],
  env: [rule.textObject, args.env],
  tags: [rule.texts, args.tags],
};

local given(name, rule_name, srcs, exclude, tools, env, tags) = {
  call: rule.call(rule_name, name),
  name: name,
  srcs: srcs,
  exclude: exclude,
  tools: tools,
  env: env,
  tags: tags,
};

{
  // The files that a command writes at `out`.
  generate(name, command, srcs=[], out=name, exclude=[], tools={}, env={}, tags=[])::
    $.step(given(name, 'sh.generate', srcs, exclude, tools, env, tags), command, out),

  // The files that a shell script, given as text, writes at `out`.
  run(name, script, srcs=[], out=name, exclude=[], tools={}, env={}, tags=[])::
    local args = given(name, 'sh.run', srcs, exclude, tools, env, tags);
    rule.checked(
      args.call,
      { script: [rule.text, script] },
      $.step(args, ['sh', '-euc', script], out),
    ),

  step(args, what, out)::
    rule.checked(
      args.call,
      kinds(args) { command: [rule.textOrTexts, what], out: [rule.textOrTexts, out] },
      { [args.name]: command.module(args, rule.list(what), { outputs: { out: command.dotted(out) } }) },
    ),

  // A test that passes if its command exits with 0.
  test(name, command, data=[], exclude=[], tools={}, env={}, test=true, tags=[])::
    local args = given(name, 'sh.test', data, exclude, tools, env, tags);
    local kinds = {
      name: [rule.text, name],
      command: [rule.textOrTexts, command],
      data: [rule.texts, data],
      exclude: [rule.texts, exclude],
      tools: [rule.textObject, tools],
      env: [rule.textObject, env],
      test: [rule.test, test],
      tags: [rule.texts, tags],
    };
    rule.checked(args.call, kinds, $.tested(args, command, test)),

  tested(args, what, test):: { [args.name]: command.module(args, rule.list(what), { test: test }) },

  // A tree: files, keyed by their destination below `prefix`; a destination that ends with `/` takes several.
  install(name, files={}, prefix='', modes={}, links={}, tags=[])::
    local args = { call: rule.call('sh.install', name), name: name, files: files, prefix: prefix, modes: modes, links: links, tags: tags };
    rule.checked(
      args.call,
      {
        name: [rule.text, name],
        files: [trees.files, files],
        prefix: [rule.text, prefix],
        modes: [trees.modes, modes],
        links: [rule.textObject, links],
        tags: [rule.texts, tags],
      },
      { [name]: trees.install(args) },
    ),

  // An archive of files and of modules' outputs: `.tar`, `.tar.gz`, `.tar.xz`, `.tar.zst` or `.zip`.
  archive(name, srcs, out=name + '.tar.gz', exclude=[], prefix='', tags=[])::
    local args = { call: rule.call('sh.archive', name), name: name, srcs: srcs, out: out, exclude: exclude, prefix: prefix, tags: tags };
    rule.checked(
      args.call,
      {
        name: [rule.text, name],
        srcs: [rule.texts, srcs],
        out: [trees.archiveName, out],
        exclude: [rule.texts, exclude],
        prefix: [rule.text, prefix],
        tags: [rule.texts, tags],
      },
      { [name]: trees.archive(args) },
    ),
}
