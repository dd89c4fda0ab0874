//! Mounts as both dialects write them: `mount:MODE:HOSTPATH`.

use std::fmt;

use wake_model::MountAccess;

const MODES: [(MountAccess, &str); 3] = [
    (MountAccess::ReadOnly, "ro"),
    (MountAccess::ReadWrite, "rw"),
    (MountAccess::Layered, "overlay"),
];

/// The access and the host's path in what follows `mount:`.
pub(crate) fn parse(mount: &str) -> Option<(MountAccess, &str)> {
    let (mode, host) = mount.split_once(':')?;
    let (access, _) = MODES.into_iter().find(|(_, word)| *word == mode)?;
    Some((access, host))
}

/// Writes a mount.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, access: MountAccess, host: &str) -> fmt::Result {
    let mode = MODES.into_iter().find(|(one, _)| *one == access).map_or("", |(_, word)| word);
    write!(f, "mount:{mode}:{host}")
}
