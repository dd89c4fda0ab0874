// Retrieves Python packages from the wheels in this directory. To use it, get this package and name it as a retriever,
// `from=wake.exec('pkg.wheels./retrieve')`, for packages of the namespace `pypi`.
function(wake)
  wake.pkg(
    wake.pkgInfo('wheels', '1.0.0'),
    files=wake.dir('*.whl') + ['./retrieve', './requirement.py'],
  )
