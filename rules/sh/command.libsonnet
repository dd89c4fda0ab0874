// A module that runs one command.

local rule = import '@rule/rule.libsonnet';

local dotted(path) = if std.startsWith(path, './') then path else './' + path;

// Whether the first word of a command is a file of the package.
local isFile(word) = std.member(word, '/') && !rule.isTarget(word);

{
  // Paths as outputs, with `./`.
  dotted(paths):: if std.isArray(paths) then std.map(dotted, paths) else dotted(paths),

  // The files of the package that `args` names.
  files(wake, args):: rule.listed(wake, rule.paths(args.srcs), args.exclude),

  // The module function: `what` is the command as a list of words, `rest` the other arguments of the module.
  module(args, what, rest):: function(wake, pkg)
    local program = what[0], used = rule.targets(args.srcs);
    local tools = [rule.target(args.call, 'tools', target) for target in std.objectValues(args.tools)];
    local ran = std.get(args.tools, if std.startsWith(program, './') then program[2:] else program, program);
    local runs = if rule.isTarget(ran) then [ran] else [];
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, used + tools + runs),
      pkgFiles=std.set($.files(wake, args) + (if isFile(ran) then [program] else [])),
      files=function(wake, module)
        rule.brought(wake, module, used)
        + std.flatMap(function(target) rule.besideOf(module.modules[target].outputs), tools + runs)
        + [
          wake.file(dotted(path), from=rule.fileOf(args.call, args.tools[path], module.modules[args.tools[path]].outputs))
          for path in std.objectFields(args.tools)
        ],
      outputs=if std.objectHas(rest, 'outputs') then function(wake, pkg) rest.outputs,
      exec=function(wake, module)
        wake.exec(
          if rule.isTarget(ran) then rule.fileOf(args.call, ran, module.modules[ran].outputs)
          else if isFile(ran) then dotted(ran)
          else wake.program(program),
          args=what[1:],
          env=args.env,
          rootfs=rule.root(wake, 'sh.packages'),
        ),
      test=std.get(rest, 'test'),
      tags=args.tags,
    ),
}
