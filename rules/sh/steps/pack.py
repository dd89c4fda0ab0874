"""pack.py OUT DIR: packs a directory as a zip file, sorted, without times and owners."""
import os
import stat
import sys
import zipfile

out, top = sys.argv[1:]
paths = sorted(
    os.path.relpath(os.path.join(above, name), top)
    for above, dirs, files in os.walk(top)
    for name in files + [name for name in dirs if os.path.islink(os.path.join(above, name))]
)
with zipfile.ZipFile(out, "w") as archive:
    for path in paths:
        full = os.path.join(top, path)
        info = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3
        if os.path.islink(full):
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            content = os.readlink(full).encode()
        else:
            executable = os.stat(full).st_mode & 0o100
            info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            with open(full, "rb") as file:
                content = file.read()
        archive.writestr(info, content)
