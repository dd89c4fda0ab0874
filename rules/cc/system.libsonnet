// Libraries and compilers of the root file system.

local rule = import '@rule/rule.libsonnet';

local tools = import './tools.libsonnet';

{
  plain(name, linkopts, defines, copts)::
    local call = rule.call('cc.system', name);
    rule.checked(
      call,
      { name: [rule.text, name], linkopts: [rule.texts, linkopts], defines: [rule.texts, defines], copts: [rule.texts, copts] },
      {
        [name]: function(wake, pkg) wake.module(
          name,
          pkgFiles=[],
          outputs=function(wake, module) { linkopts: linkopts, defines: defines, copts: copts },
        ),
      },
    ),

  // The compiler itself reads the output of pkg-config, because an evaluation cannot see the output of a command.
  pkgConfig(name, packages)::
    local call = rule.call('cc.pkg_config', name);
    rule.checked(
      call,
      { name: [rule.text, name], packages: [rule.texts, packages] },
      {
        [name]: function(wake, pkg) wake.module(
          name,
          pkgFiles=[],
          outputs=function(wake, module) { cflags: ['./cflags'], ldflags: ['./ldflags'] },
          exec=wake.exec(wake.own('./steps/pkg_config.sh'), args=packages, rootfs=rule.root(wake, 'cc.packages')),
        ),
      },
    ),

  toolchain(name, compiler, prefix, copts, linkopts)::
    local call = rule.call('cc.toolchain', name);
    local named = tools.named(compiler, prefix);
    rule.checked(
      call,
      {
        name: [rule.text, name],
        compiler: [rule.text, compiler],
        prefix: [rule.text, prefix],
        copts: [rule.texts, copts],
        linkopts: [rule.texts, linkopts],
      },
      {
        [name]: function(wake, pkg) wake.module(
          name,
          pkgFiles=[],
          outputs=function(wake, module) {
            found: './toolchain.json',
            toolchain: named { copts: copts, linkopts: linkopts },
          },
          exec=wake.exec(wake.own('./steps/toolchain.sh'), args=[named.cc, named.cxx, named.ar], rootfs=rule.root(wake, 'cc.packages')),
        ),
      },
    ),
}
