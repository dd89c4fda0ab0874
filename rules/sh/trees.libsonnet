// Trees and archives.

local rule = import '@rule/rule.libsonnet';

local command = import './command.libsonnet';

local isTexts(value) = std.isString(value) || rule.texts.is(value);

local isMode(value) = std.isString(value) && std.length(value) == 3 && std.all([std.member('01234567', c) for c in std.stringChars(value)]);

local isOf(value, is) = std.isObject(value) && std.all(std.map(is, std.objectValues(value)));

// Describes the first field of an object that `is` rejects.
local misfit(is) = function(value)
  if !std.isObject(value) then rule.described(value)
  else
    local key = [key for key in std.objectFields(value) if !is(value[key])][0];
    '%s as `%s`' % [rule.quoted(value[key]), key];

local endings = ['.tar', '.tar.gz', '.tgz', '.tar.xz', '.tar.zst', '.zip'];

local plain(path) = std.stripChars(if std.startsWith(path, './') then path[2:] else path, '/');

local below(prefix, path) = if plain(prefix) == '' then plain(path) else plain(prefix) + '/' + plain(path);

local name(path) = local parts = std.split(plain(path), '/'); parts[std.length(parts) - 1];

local above(path) = std.join('/', std.slice(std.split(path, '/'), 0, -1, 1));

// Files with their original names, and for those of a module, the files that must be beside them.
local filesOf(wake, source, module) =
  if !rule.isTarget(source) then [[file, name(file), []] for file in rule.listed(wake, [source])]
  else
    local outputs = module.modules[source].outputs;
    [[file, name(file.path), rule.besideOf(outputs)] for file in rule.filesOf(outputs)];

// What is copied where, as pairs of a file and a path.
local copied(wake, args, module) = [
  pair
  for place in std.objectFields(args.files)
  for source in rule.list(args.files[place])
  for found in filesOf(wake, source, module)
  for pair in
    local at = below(args.prefix, place);
    local to = if std.endsWith(place, '/') then below(at, found[1]) else at;
    [[found[0], to]] + [[file, below(above(to) + '/lib', name(file.path))] for file in found[2]]
];

{
  files: rule.kind('an object of paths, globs and targets, or lists of these', function(value) isOf(value, isTexts), misfit(isTexts)),
  modes: rule.kind("an object of modes such as '755'", function(value) isOf(value, isMode), misfit(isMode)),
  archiveName: rule.kind(
    'a name that ends in one of ' + std.join(', ', endings),
    function(value) std.isString(value) && std.length([end for end in endings if std.endsWith(value, end)]) > 0,
    rule.quoted
  ),

  install(args):: function(wake, pkg)
    local sources = std.flatMap(rule.list, std.objectValues(args.files));
    local globs = rule.paths(sources);
    local tree = below(args.prefix, '');
    local words(module) =
      std.flatMap(function(pair) ['file', pair[0], pair[1]], copied(wake, args, module))
      + std.flatMap(function(path) ['mode', args.modes[path], below(args.prefix, path)], std.objectFields(args.modes))
      + std.flatMap(function(path) ['link', args.links[path], below(args.prefix, path)], std.objectFields(args.links));
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, rule.targets(sources)),
      pkgFiles=rule.listed(wake, globs),
      outputs=function(wake, pkg) { out: './root/' },
      exec=function(wake, module) wake.exec(wake.own('./steps/install.sh'), args=words(module), rootfs=rule.root(wake, 'sh.packages')),
      tags=args.tags,
    ),

  archive(args):: function(wake, pkg)
    local targets = rule.targets(args.srcs);
    local files = command.files(wake, args);
    local made(module) = std.flatMap(function(target) rule.filesOf(module.modules[target].outputs), targets);
    wake.module(
      args.name,
      modules=rule.modules(pkg, args.call, targets),
      pkgFiles=files,
      outputs=function(wake, pkg) { out: './' + args.out },
      exec=function(wake, module)
        wake.exec(
          wake.own('./steps/archive.sh'),
          args=['./' + args.out, plain(args.prefix)]
               + std.flatMap(function(path) [path, plain(path)], files)
               + std.flatMap(function(file) [file, inTree(file)], made(module)),
          env={ PACK: wake.own('./steps/pack.py') },
          rootfs=rule.root(wake, 'sh.packages'),
        ),
      tags=args.tags,
    ),

  // A directory that a module makes is a tree: its contents go to the top.
  local inTree(file) = if std.endsWith(file.path, '/') then '' else plain(rule.placeOf(file)),
}
