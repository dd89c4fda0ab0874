local cc = import '@cc/rules.libsonnet', sh = import '@sh/rules.libsonnet';
local suites = ['auth', 'expire', 'hyperloglog', 'keyspace', 'multi', 'protocol', 'pubsub', 'quit', 'scan', 'sort'];
local programs = { ['src/redis-' + name]: ':' + name for name in ['server', 'cli', 'benchmark'] };
local base = 'adlist,ae,anet,cli_common,crc16,crc64,crcspeed,dict,monotonic,mt19937-64,redisassert,release,siphash,zmalloc';
local libs = [':hiredis', ':lua', ':hdr'];

function(wake) wake.pkg(
  wake.pkgInfo('redis', '7.0.15'),
  files=wake.dir(['src/*', 'src/commands', 'deps/{hiredis,linenoise,lua,hdr_histogram}/**', 'tests/**', 'utils/*.py', 'runtest']),
  pkgs={
    cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake')),
    sh: wake.getPkg(wake.pkgInfo('sh', '^1', 'wake')),
  },
  modules=cc.library('hiredis', ['deps/hiredis/*.c'], exclude=['deps/hiredis/{dict,ssl,test}.c'],
                     hdrs=['**/*.h', 'deps/hiredis/dict.c'], includes=['deps/hiredis'])
          + cc.library('linenoise', ['deps/linenoise/linenoise.c'], includes=['deps/linenoise'])
          + cc.library('hdr', ['deps/hdr_histogram/*.c'], includes=['deps/hdr_histogram'],
                       copts=['-DHDR_MALLOC_INCLUDE="hdr_redis_malloc.h"'])
          + cc.library('lua', ['deps/lua/src/*.c'], exclude=['deps/lua/src/{lua,luac,print}.c'], includes=['deps/lua/src'],
                       copts=['-DLUA_ANSI', '-DENABLE_CJSON_GLOBAL', '-DREDIS_STATIC=', '-DLUA_USE_MKSTEMP'], linkopts=['-lm'])
          + sh.generate('commands', 'utils/generate-command-code.py', srcs=['src/commands/*.json'], out='src/commands.c')
          + sh.run('release', 'cd src && sh mkreleasehdr.sh', srcs=['src/mkreleasehdr.sh'], out='src/release.h')
          + cc.library('base', ['src/{%s}.c' % base], hdrs=['**/*.h', 'src/ae_*.c', ':release'], deps=libs, defines=['REDIS_STATIC='])
          + cc.binary('server', ['src/*.c', ':commands'], exclude=['src/{redis-cli,redis-benchmark,ae_*,commands,%s}.c' % base],
                      deps=[':base'], copts=['-std=c11'], linkopts=['-ldl', '-rdynamic'])
          + cc.binary('cli', ['src/redis-cli.c'], deps=[':base', ':linenoise'])
          + cc.binary('benchmark', ['src/redis-benchmark.c'], deps=[':base'])
          + std.foldl(function(all, suite) all + sh.test(suite, ['./runtest', '--single', 'unit/' + suite], data=['tests/**'], tools=programs), suites, {}),
)
