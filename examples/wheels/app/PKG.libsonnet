function(wake)
  wake.pkg(
    wake.pkgInfo('app', '1.0.0'),
    files=['./main.py', './bundle.py'],
    pkgs={
      wheels: wake.getPkg(wake.pkgInfo('wheels', '*'), from=wake.GLOBAL),
      greeting: wake.getPkg(
        wake.pkgInfo('greeting', '^2', namespace='pypi'),
        from=wake.exec('pkg.wheels./retrieve'),
      ),
    },
    modules={ app: './app.libsonnet' },
  )
