//! Mounts in the form of both dialects: `mount:MODE:HOSTPATH`.

use std::fmt;
use std::path::Path;

use wake_model::MountAccess;
use wake_store::ware::AbsPath;

const MODES: [(MountAccess, &str); 3] = [
    (MountAccess::ReadOnly, "ro"),
    (MountAccess::ReadWrite, "rw"),
    (MountAccess::Layered, "overlay"),
];

/// Parses the access and the host's path after `mount:`.
pub(crate) fn parse(mount: &str) -> Option<(MountAccess, &str)> {
    let (mode, host) = mount.split_once(':')?;
    let (access, _) = MODES.into_iter().find(|(_, word)| *word == mode)?;
    Some((access, host))
}

/// Returns an input below a mount of the host, and that mount, if there is one; each input comes with whether it is such a mount.
pub(crate) fn with_input_below<'p>(
    inputs: impl Iterator<Item = (&'p AbsPath, bool)>,
) -> Option<(&'p AbsPath, &'p AbsPath)> {
    let mut inputs: Vec<(&AbsPath, bool)> = inputs.collect();
    // By components: paths below a path follow it at once.
    inputs.sort_by(|(one, _), (other, _)| Path::new(one.as_str()).cmp(Path::new(other.as_str())));
    let mut mount: Option<&AbsPath> = None;
    for (path, is_mount) in inputs {
        if let Some(mount) = mount.filter(|mount| path.starts_with(mount)) {
            return Some((path, mount));
        }
        if is_mount {
            mount = Some(path);
        }
    }
    None
}

/// Writes a mount.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, access: MountAccess, host: &str) -> fmt::Result {
    let mode = MODES.into_iter().find(|(one, _)| *one == access).map_or("", |(_, word)| word);
    write!(f, "mount:{mode}:{host}")
}
