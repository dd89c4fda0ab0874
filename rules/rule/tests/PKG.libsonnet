// Tests the helpers with a rule defined in this package.
local rule = import '@rule/rule.libsonnet';

local joined(name, texts=[], deps=[]) =
  local call = rule.call('joined', name);
  rule.checked(call, { name: [rule.text, name], texts: [rule.texts, texts], deps: [rule.texts, deps] }, {
    [name]: function(wake, pkg) wake.module(
      name,
      modules=rule.modules(pkg, call, deps),
      files=function(wake, module)
        rule.brought(wake, module, deps) + [wake.file('./%s.txt' % name, text=std.join('\n', texts + ['']))],
      outputs=function(wake, module) { out: './%s.txt' % name, texts: texts + std.flatMap(function(dep) module.modules[dep].outputs.texts, deps) },
    ),
  });

local said(wake, texts) = wake.exec(wake.program('test'), args=[std.join(' ', texts), '=', 'b a']);

function(wake)
  wake.pkg(
    wake.pkgInfo('rule-tests', '1.0.0', 'wake'),
    pkgs={ rule: wake.getPkg(wake.pkgInfo('rule', '^1', 'wake'), from='..') },
    modules=joined('a', ['a'])
            + joined('b', ['b'], deps=[':a'])
            + {
              check: function(wake, pkg) wake.module(
                'check',
                modules={ b: pkg.modules.b() },
                exec=function(wake, module) said(wake, module.modules.b.outputs.texts),
                test=true,
              ),
            },
  )
