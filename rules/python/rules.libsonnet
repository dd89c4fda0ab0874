// Python: what a package file calls. `README.md` says what each argument means.

local rule = import '@rule/rule.libsonnet';

local modules = import './modules.libsonnet';

// What all take, by name.
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
  // Modules that others import; `root` is the directory from which they are named.
  library(name, srcs=[], exclude=[], root='.', deps=[], data=[], tags=[])::
    local all = given('python.library', name, srcs, exclude, root, deps, data, tags);
    rule.checked(all.call, kinds(all), { [name]: modules.library(all) }),

  // The distributions that a lock names, as a tree of site-packages.
  wheels(name, lock='requirements.txt', wheels=['wheels/*.whl'], tags=[])::
    local all = { call: rule.call('python.wheels', name), name: name, lock: lock, wheels: wheels, tags: tags };
    rule.checked(
      all.call,
      { name: [rule.text, name], lock: [rule.text, lock], wheels: [rule.texts, wheels], tags: [rule.texts, tags] },
      { [name]: modules.wheels(all) },
    ),

  // A program: a file that is run, `main`, or a module that is, `module`.
  binary(name, main=null, module=null, srcs=[], exclude=[], root='.', deps=[], data=[], tags=[])::
    local all = given('python.binary', name, srcs, exclude, root, deps, data, tags) { main: main, module: module };
    rule.checked(
      all.call,
      kinds(all) { main: [rule.text.orNull, main], module: [rule.text.orNull, module] },
      if (main == null) == (module == null) then error '%s: give either `main` or `module`' % all.call
      else if module != null && (std.member(module, '/') || std.endsWith(module, '.py'))
      then error "%s: `module` must be a name with dots, such as 'shop.till', not '%s'; a file is `main`" % [all.call, module]
      else { [name]: modules.binary(all) },
    ),

  // Tests: one step for each file of `srcs`, by `unittest` or by `pytest`.
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
