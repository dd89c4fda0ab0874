local archive = import './archive.libsonnet';
local library = import './library.libsonnet';

function(wake)
  wake.pkg(
    wake.pkgInfo('app', '1.0.0'),
    files=['./main.c', './build.sh'],
    pkgs={
      debian: wake.getPkg(wake.pkgInfo('debian', '*'), from=wake.GLOBAL),
      library: wake.getPkg(
        wake.pkgInfo(library.name, library.version, namespace='deb'),
        from=wake.exec('pkg.debian./retrieve', config=archive, network=std.objectHas(archive, 'mirror')),
      ),
    },
    modules={ app: './app.libsonnet' },
  )
