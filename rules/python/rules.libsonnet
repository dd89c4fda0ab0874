// Python: the rules that a package file calls. `README.md` describes the arguments.

local rule = import '@rule/rule.libsonnet';

local modules = import './modules.libsonnet';

// The arguments that every rule takes, by name.
local given(call, name, srcs, exclude, root, deps, data, tags) = {
  call: rule.call(call, name),
  name: name,
  srcs: srcs,
  exclude: exclude,
  root: root,
  deps: deps,
  data: data,
  tags: tags,
};

local kinds(args) = {
  name: [rule.text, args.name],
  srcs: [rule.texts, args.srcs],
  exclude: [rule.texts, args.exclude],
  root: [rule.text, args.root],
  deps: [rule.texts, args.deps],
  data: [rule.texts, args.data],
  tags: [rule.texts, args.tags],
};

{
  // Modules for import; module names start at the directory `root`.
  library(name, srcs=[], exclude=[], root='.', deps=[], data=[], tags=[])::
    local all = given('python.library', name, srcs, exclude, root, deps, data, tags);
    rule.checked(all.call, kinds(all), { [name]: modules.library(all) }),

  // The distributions of a lock file, as a site-packages tree.
  wheels(name, lock='requirements.txt', wheels=['wheels/*.whl'], tags=[])::
    local all = { call: rule.call('python.wheels', name), name: name, lock: lock, wheels: wheels, tags: tags };
    rule.checked(
      all.call,
      { name: [rule.text, name], lock: [rule.text, lock], wheels: [rule.texts, wheels], tags: [rule.texts, tags] },
      { [name]: modules.wheels(all) },
    ),

  // A program that runs a file, `main`, or a module, `module`.
  binary(name, main=null, module=null, srcs=[], exclude=[], root='.', deps=[], data=[], tags=[])::
    local all = given('python.binary', name, srcs, exclude, root, deps, data, tags) { main: main, module: module };
    rule.checked(
      all.call,
      kinds(all) { main: [rule.text.orNull, main], module: [rule.text.orNull, module] },
      if (main == null) == (module == null) then error '%s: set either `main` or `module`' % all.call
      else if module != null && (std.member(module, '/') || std.endsWith(module, '.py'))
      then error "%s: `module` must be a dotted name such as 'shop.till', not '%s'; use `main` for a file" % [all.call, module]
      else { [name]: modules.binary(all) },
    ),

  // Tests: one step per file of `srcs`, run by `unittest` or `pytest`.
  test(name, srcs=['tests/test_*.py'], exclude=[], root='.', deps=[], data=[], runner='unittest', args=[], env={}, test=true, tags=[])::
    local all = given('python.test', name, srcs, exclude, root, deps, data, tags) {
      runner: runner,
      args: args,
      env: env,
      test: test,
    };
    rule.checked(
      all.call,
      kinds(all) {
        runner: [rule.oneOf(['unittest', 'pytest']), runner],
        args: [rule.texts, args],
        env: [rule.textObject, env],
        test: [rule.test, test],
      },
      { [name]: modules.tests(all) },
    ),
}
