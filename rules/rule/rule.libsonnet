// Helpers for writing rules: checks of arguments, lookup of targets and their files.
//
// A rule is a function that returns an object of modules. Its arguments come from a package file, so mistakes in them
// are reported before any module is made. `README.md` has a complete rule.

local article(value) =
  local type = std.type(value);
  if type == 'array' then 'a list' else if type == 'object' then 'an object' else if type == 'null' then 'null' else 'a ' + type;

// Describes a value for the end of a message; for a list, the first element that is not a string.
local described(value) =
  local others = if std.isArray(value) then [i for i in std.range(0, std.length(value) - 1) if !std.isString(value[i])] else [];
  if others == [] then article(value) else '%s as element %d' % [article(value[others[0]]), others[0]];

// A kind of argument: `is` tests a value, `what` describes the kind, `found` describes a value that is not of it.
local kind(what, is, found=described) = {
  what: what,
  is:: is,
  found:: found,
  orNull: kind(what + ' or null', function(value) value == null || is(value), found),
};

// A string in quotes; anything else as `described`.
local quoted(value) = if std.isString(value) then "'" + value + "'" else described(value);

local isFile(value) = std.isObject(value) && std.get(value, 'type') == 'file';

// The available names, for the end of a message.
local choice(object) =
  local names = [name for name in std.objectFields(object) if !std.member(name, '.')];
  if names == [] then ''
  else '; available: ' + std.join(', ', ['`' + name + '`' for name in names[:8]]) + (if std.length(names) > 8 then ', …' else '');

local firsts(list) = [list[i] for i in std.range(0, std.length(list) - 1) if !std.member(list[:i], list[i])];

// Whether a string has no glob characters, and its last part has an extension.
local isFilePath(text) =
  std.length(std.findSubstr('.', text)) > 0
  && std.all([std.length(std.findSubstr(c, text)) == 0 for c in ['*', '?', '[', '{']])
  && local parts = std.split(text, '/'); std.member(parts[std.length(parts) - 1], '.');

local isTexts(value) = std.isArray(value) && std.length(value) == std.length(std.filter(std.isString, value));

{
  // Kinds of arguments.
  text: kind('a string', std.isString),
  texts: kind('a list of strings', isTexts),
  textOrTexts: kind('a string or a list of strings', function(value) std.isString(value) || isTexts(value)),
  flag: kind('true or false', std.isBoolean),
  object: kind('an object', std.isObject),
  textObject: kind('an object of strings', function(value) std.isObject(value) && isTexts(std.objectValues(value))),
  test: kind('true or an object', function(value) value == true || std.isObject(value)),
  oneOf(values): kind('one of ' + std.join(', ', values), function(value) std.member(values, value), quoted),

  // For rules that define kinds of their own.
  kind:: kind,
  quoted:: quoted,
  described:: described,

  // Returns `modules` if each of `args` is of its kind; `args` holds `[kind, value]` by argument name.
  checked(call, args, modules)::
    local wrong = [
      '%s: `%s` must be %s, not %s' % [call, name, args[name][0].what, args[name][0].found(args[name][1])]
      for name in std.objectFields(args)
      if !args[name][0].is(args[name][1])
    ];
    if wrong == [] then modules else error wrong[0],

  // The name of a call in messages: `cc.binary('server')`.
  call(rule, name):: if std.isString(name) then "%s('%s')" % [rule, name] else rule + '()',

  // The value as a list; a single value becomes a list of one.
  list(value):: if std.isArray(value) then value else [value],

  // Whether a string names a module, `:name` or `key:name`, rather than a file.
  isTarget(text):: !std.startsWith(text, './') && std.member(text, ':'),

  // Returns `text` if it names a module, else fails.
  target(call, argument, text)::
    if $.isTarget(text) then text
    else error '%s: `%s` names `%s`, which is not a module; write `:name` or `key:name`' % [call, argument, text],

  targets(texts):: [text for text in texts if $.isTarget(text)],

  paths(texts):: [text for text in texts if !$.isTarget(text)],

  // Whether a target is a module of the package that names it.
  isOwn(target):: std.startsWith(target, ':'),

  // The function that returns ids of the module that `target` names, or of `NAME.PART` if that exists.
  module(pkg, call, target, part='')::
    local parts = std.splitLimit(target, ':', 1);
    local key = parts[0], name = parts[1];
    local owner =
      if key == '' then pkg
      else if std.objectHas(pkg.pkgs, key) then pkg.pkgs[key]
      else error '%s: `%s` names a module of `%s`, but `pkgs` has no such key%s' % [call, target, key, choice(pkg.pkgs)];
    local has = function(name) std.objectHas(owner.modules, name);
    local whole = name + part;
    if part != '' && has(whole) then owner.modules[whole]
    else if has(name) then owner.modules[name]
    else error '%s: there is no module `%s`%s' % [call, target, choice(owner.modules)],

  // The files of `targets`, at the same paths as where they were made.
  brought(wake, module, targets):: [
    wake.file($.placeOf(file), from=file)
    for target in targets
    for file in $.filesOf(module.modules[target].outputs)
  ],

  // The files that must be beside a module's main files when they run: its `lib`.
  besideOf(outputs):: local lib = std.get(outputs, 'lib', []); if std.isArray(lib) then lib else [],

  // Module ids by target, for `modules` of wake.module().
  modules(pkg, call, targets, part=''):: { [target]: $.module(pkg, call, target, part)() for target in std.set(targets) },

  // The main files of a module, from its outputs: `bin`, else `out`, else all.
  filesOf(outputs)::
    local files(value) =
      if std.isArray(value) then std.filter(isFile, value) else if isFile(value) then [value] else [];
    if std.objectHas(outputs, 'bin') then files(outputs.bin)
    else if std.objectHas(outputs, 'out') then files(outputs.out)
    else std.flatMap(function(name) files(outputs[name]), std.objectFields(outputs)),

  // The one main file of a module.
  fileOf(call, target, outputs)::
    local files = $.filesOf(outputs);
    if std.length(files) == 1 then files[0]
    else error '%s: `%s` makes %s files; exactly one is needed' % [call, target, std.length(files)],

  // The path of a file in its own module or package: `./src/a.c`.
  placeOf(file)::
    if std.startsWith(file.path, './.wake/') then './' + std.splitLimit(file.path, '/', 4)[4] else file.path,

  // The root file system of a rule's commands: the distribution packages that the option names, separated by spaces, with their
  // dependencies; the whole machine if it names none.
  root(wake, option)::
    local names = [name for name in std.split(wake.option(option, ''), ' ') if name != ''];
    if names == [] then wake.HOST else wake.host(packages=names),

  // The files that paths and globs name. A plain file path is taken as it is, without looking at the disk.
  listed(wake, texts, exclude=[])::
    local plain = [text for text in texts if exclude == [] && isFilePath(text)];
    local others = [text for text in texts if exclude != [] || !isFilePath(text)];
    ['./' + $.undotted(text) for text in plain] + (if others == [] then [] else wake.dir(others, exclude=exclude)),

  // A path without `./`.
  undotted(path):: if std.startsWith(path, './') then path[2:] else path,

  // Each element once, at its last position.
  lasts(list):: std.reverse(firsts(std.reverse(list))),

  // Each element once, at its first position.
  firsts(list):: firsts(list),
}
