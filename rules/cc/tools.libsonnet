// The compiler and its related tools, chosen by build options or by a toolchain.

local rule = import '@rule/rule.libsonnet';

// The C++ compiler that belongs to a C compiler: `g++-12` for `gcc-12`.
local cxxOf(compiler) =
  if compiler == 'cc' then 'c++'
  else if std.startsWith(compiler, 'gcc') then 'g++' + compiler[3:]
  else if std.startsWith(compiler, 'clang') then 'clang++' + compiler[5:]
  else compiler;

local words(text) = [word for word in std.split(text, ' ') if word != ''];

{
  // The programs, by purpose.
  named(compiler, prefix)::
    local cc = if prefix != '' && compiler == 'cc' then 'gcc' else compiler;
    { cc: prefix + cc, cxx: prefix + cxxOf(cc), ar: prefix + 'ar' },

  modules(pkg, args):: if args.toolchain == null then {} else rule.modules(pkg, args.call, [args.toolchain]),

  // Programs and options, from `outputs` by target.
  of(wake, args, outputs)::
    local toolchain =
      if args.toolchain == null then $.named(wake.option('cc.compiler', 'cc'), wake.option('cc.prefix', '')) + { copts: [], linkopts: [] }
      else outputs[args.toolchain].toolchain;
    local sanitize = wake.option('cc.sanitize', '');
    local sanitized = if sanitize == '' then [] else ['-fsanitize=' + sanitize, '-fno-omit-frame-pointer'];
    local debug = if wake.option('cc.debug', false) then ['-g'] else [];
    toolchain {
      copts: ['-O' + wake.option('cc.opt', '2')] + debug + sanitized + toolchain.copts + words(wake.option('cc.copts', '')),
      linkopts: debug + sanitized + toolchain.linkopts + words(wake.option('cc.linkopts', '')),
    },
}
