// The root: it decides which toolchain all packages use, and collects the release.
//
// `platform` defines the global toolchain 1.0, which requires a permission. The root defines
// another one, 1.1, with a higher rank: the highest override wins for every package of the build.
function(wake)
  local get(name, path, version='^1') = wake.getPkg(wake.pkgInfo(name, version), from=path);
  wake.pkg(
    wake.pkgInfo('monorepo', '1.0.0'),
    pkgs={
      platform: wake.getPkg(wake.pkgInfo('platform', '^1'), from='./platform', permissions=['defineGlobal']),
      hardened: wake.getPkg(wake.pkgInfo('toolchain', '^1.1'), from='./toolchain-hardened', global={ override: 10 }),
      apps: get('apps', './apps'),
      bundle: get('bundle', './tools/bundle'),
      docs: get('docs', './docs'),
      geo: get('geo', './libs/geo'),
      pyreport: get('pyreport', './py/pyreport'),
      ring: get('ring', './libs/ring'),
      table: get('table', './libs/table'),
      text: get('text', './libs/text'),
    },
    modules={ release: './release.libsonnet', tests: './tests.libsonnet' },
  )
