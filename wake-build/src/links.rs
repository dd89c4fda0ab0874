//! Result links: `.wake/out/<package>/<module>` leads to the tree in the store.

use std::io;
use std::path::{Path, PathBuf};

use wake_model::RelPath;

/// Where the links of a checkout lie, relative to its root.
pub(crate) const OUT_DIR: &str = ".wake/out";

/// The link of a module, relative to [`OUT_DIR`].
pub(crate) fn link_name(pkg: &RelPath, module: &str) -> PathBuf {
    Path::new(pkg.as_str()).join(module)
}

/// Makes the link `name` in the directory `out` lead to `target`; replaced in one step, left alone
/// where it is right.
///
/// A link that is in the way of a package below it (or the other way round) makes room: the newer
/// result wins.
pub(crate) fn link(out: &Path, name: &Path, target: &Path) -> io::Result<()> {
    let link = out.join(name);
    if std::fs::read_link(&link).is_ok_and(|there| there == target) {
        return Ok(());
    }
    let dir = name.parent().unwrap_or(Path::new(""));
    make_room(out, dir)?;
    let dir = out.join(dir);
    std::fs::create_dir_all(&dir)?;
    if link.symlink_metadata().is_ok_and(|there| there.is_dir()) {
        std::fs::remove_dir_all(&link)?;
    }
    let temporary = dir.join(format!(".new-{}", std::process::id()));
    let _ = std::fs::remove_file(&temporary);
    std::os::unix::fs::symlink(target, &temporary)?;
    std::fs::rename(&temporary, &link)
}

/// Removes links that stand where directories must: following one would lead into the store.
fn make_room(out: &Path, dir: &Path) -> io::Result<()> {
    let mut at = out.to_owned();
    for part in dir.components() {
        at.push(part);
        if at.is_symlink() {
            std::fs::remove_file(&at)?;
        }
    }
    Ok(())
}
