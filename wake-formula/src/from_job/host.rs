//! The host's system directories as inputs of a formula: what a module's command sees of them, as mounts; and of `/etc`, which
//! is small, as files.

use std::fs;
use std::path::Path;

use wake_exec::{EtcNode, Identity, SYSTEM_DIRS, etc_of_host};
use wake_model::{MountAccess, Network, RelPath};

use super::{FromJobError, relative};
use crate::repeatr::Input;

/// An entry of the root directory, or of `/usr` or `/etc`.
pub(crate) enum Piece {
    /// A link, with its target.
    Link(String),
    /// A file, with its content.
    File(Vec<u8>),
    /// A directory.
    Dir,
    /// Anything else, mounted from the host.
    Mount(Input),
}

/// Returns the host's directories that a command sees, in the same places.
pub(crate) fn pieces(identity: &Identity) -> Result<Vec<(RelPath, Piece)>, FromJobError> {
    let mut pieces = Vec::new();
    for name in SYSTEM_DIRS {
        // `/usr/local` is not part of the host's identity and not visible.
        if *name == "usr" {
            for below in names(Path::new("/usr"))?.into_iter().filter(|below| below != "local") {
                add(&format!("usr/{below}"), &mut pieces)?;
            }
        } else {
            add(name, &mut pieces)?;
        }
    }
    let etc = etc_of_host(identity, Network::None).map_err(FromJobError::at(Path::new("/etc")))?;
    for (path, node) in etc {
        let piece = match node {
            EtcNode::File(bytes) => Piece::File(bytes),
            EtcNode::Link(target) => Piece::Link(target),
            EtcNode::Dir => Piece::Dir,
        };
        pieces.push((relative(&format!("etc/{path}"))?, piece));
    }
    Ok(pieces)
}

fn add(path: &str, pieces: &mut Vec<(RelPath, Piece)>) -> Result<(), FromJobError> {
    let host = Path::new("/").join(path);
    let Ok(metadata) = fs::symlink_metadata(&host) else { return Ok(()) };
    let piece = if metadata.is_symlink() {
        let target = fs::read_link(&host).map_err(FromJobError::at(&host))?;
        Piece::Link(target.to_string_lossy().into_owned())
    } else {
        let host = host.to_string_lossy().into_owned();
        Piece::Mount(Input::Mount { access: MountAccess::ReadOnly, host })
    };
    pieces.push((relative(path)?, piece));
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<String>, FromJobError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(FromJobError::at(dir))? {
        let name = entry.map_err(FromJobError::at(dir))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
