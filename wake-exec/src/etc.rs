//! The part of `/etc` that belongs to the installed system: it is shown to commands and is part of the host's identity.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;

use crate::defaults::{HOME, SYSTEM_DIRS, USER};
use crate::job::{Identity, Network};

/// Names in `/etc` that belong to the installed system rather than to the machine and that system programs find through
/// a link from `/usr` or by name; a trailing `*` matches any suffix.
const NAMES: &[&str] = &[
    "ImageMagick-*",
    "R",
    "alternatives",
    "crypto-policies",
    "debian_version",
    "fonts",
    "groff",
    "java",
    "java-*",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "magic",
    "maven",
    "mime.types",
    "os-release",
    "perl",
    "pki",
    "protocols",
    "python*",
    "services",
    "sgml",
    "ssl",
    "texmf",
    "xml",
];

/// Further names in `/etc` that programs with network access need.
pub(crate) const NETWORK_ETC: &[&str] =
    &["hosts", "nsswitch.conf", "services", "protocols", "ssl", "pki", "ca-certificates"];

/// Files larger than this are not shown, in bytes: nothing of this kind is large.
const LARGEST: u64 = 16 << 20;

/// An entry of `/etc` as a command sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtcNode {
    /// A regular file with these bytes.
    File(Vec<u8>),
    /// A symbolic link with this target.
    Link(String),
    /// A directory.
    Dir,
}

/// Returns everything that a command with the host's root directory sees of `/etc`, by paths relative to `/etc`,
/// directories before their contents.
pub fn etc_of_host(identity: &Identity, network: Network) -> io::Result<Vec<(String, EtcNode)>> {
    etc_of_host_but(identity, network, &[])
}

/// As [`etc_of_host`], without the contents of the directories `without`.
pub(crate) fn etc_of_host_but(
    identity: &Identity,
    network: Network,
    without: &[&str],
) -> io::Result<Vec<(String, EtcNode)>> {
    let root = Path::new("/");
    let mut names: BTreeSet<String> = system_etc(root)?.into_iter().collect();
    if network == Network::Host {
        names.extend(NETWORK_ETC.iter().map(|name| (*name).to_owned()));
    }
    let names: Vec<String> = names.into_iter().collect();
    let mut nodes = Vec::new();
    walk_etc(root, &names, &mut |path, entry, _| {
        let into = if without.contains(&path.as_str()) { Descend::No } else { Descend::Yes };
        nodes.push((
            path,
            match entry {
                EtcEntry::File(bytes) => EtcNode::File(bytes),
                EtcEntry::Link(target) => EtcNode::Link(target),
                EtcEntry::Dir => EtcNode::Dir,
                EtcEntry::Hidden => return Descend::No,
            },
        ));
        into
    })?;
    if let (Network::Host, Some(resolver)) = (network, resolver()) {
        nodes.push(("resolv.conf".to_owned(), EtcNode::File(resolver)));
    }
    let fixed = fixed(identity, network).into_iter();
    nodes.extend(fixed.map(|(name, text)| (name.to_owned(), EtcNode::File(text.into_bytes()))));
    Ok(nodes)
}

/// Returns the host's resolver configuration, which is often a link to a place that a command does not see.
pub(crate) fn resolver() -> Option<Vec<u8>> {
    std::fs::read("/etc/resolv.conf").ok()
}

/// Returns the files that are the same on every machine: the command's user and, without a network, where names are
/// looked up.
fn fixed(identity: &Identity, network: Network) -> Vec<(&'static str, String)> {
    let Identity { uid, gid, hostname, .. } = identity;
    let mut files = vec![
        (
            "passwd",
            format!(
                "root:x:0:0:root:/root:/bin/sh\n{USER}:x:{uid}:{gid}:{USER}:{HOME}:/bin/sh\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
            ),
        ),
        ("group", format!("root:x:0:\n{USER}:x:{gid}:\nnogroup:x:65534:\n")),
    ];
    if network == Network::None {
        let databases = ["passwd", "group", "shadow", "hosts", "networks", "services", "protocols"];
        let files_only = databases.map(|database| format!("{database}: files\n"));
        files.extend([
            ("hosts", format!("127.0.0.1 localhost {hostname}\n::1 localhost {hostname}\n")),
            ("nsswitch.conf", files_only.concat()),
            // A name may have both IPv4 and IPv6 addresses.
            ("host.conf", "multi on\n".to_owned()),
        ]);
    }
    files
}

/// Returns the files of `/etc` that are the same on every machine, for a root file system that has none of its own: the
/// user of a module's command, and where names are looked up.
pub fn fixed_etc() -> Vec<(&'static str, String)> {
    fixed(&Identity::default(), Network::None)
}

/// An entry found in `/etc`.
pub(crate) enum EtcEntry {
    /// A regular file with these bytes.
    File(Vec<u8>),
    /// A symbolic link with this target.
    Link(String),
    /// A directory.
    Dir,
    /// An entry that is not shown.
    Hidden,
}

/// Called with each entry of `/etc`, its path relative to `/etc`, and its `stat`, except for links, whose text never
/// changes. Returns whether to descend into a directory.
pub(crate) type EtcVisitor<'a> = dyn FnMut(String, EtcEntry, Option<&Stat>) -> Descend + 'a;

/// Whether to descend into a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descend {
    Yes,
    No,
}

/// Returns the names in `/etc` below `root` that commands see, sorted.
pub(crate) fn system_etc(root: &Path) -> io::Result<Vec<String>> {
    let names = match open(CWD, &root.join("etc"), FileType::Directory) {
        Ok(etc) => names_in(etc.as_fd())?,
        Err(Errno::NOENT | Errno::NOTDIR) => Vec::new(),
        Err(errno) => return Err(errno.into()),
    };
    Ok(names.into_iter().filter(|name| is_shown(name)).collect())
}

/// Returns whether the absolute path `place` is part of the host's system as commands see it.
pub fn is_system(place: &Path) -> bool {
    let mut names = place.iter().skip(1).map(|name| name.to_string_lossy());
    match names.next() {
        Some(top) if top == "etc" => names.next().is_some_and(|name| is_shown(&name)),
        top => top.is_some_and(|top| SYSTEM_DIRS.contains(&&*top)),
    }
}

fn is_shown(name: &str) -> bool {
    NAMES.iter().any(|shown| match shown.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *shown,
    })
}

/// Calls `each` with what is in `/etc` below `root` at `names` and below them, directories before their contents, by
/// paths relative to `/etc`.
///
/// Files that are not world-readable are hidden: private keys are stored among certificates. So are devices and other
/// special files.
pub(crate) fn walk_etc(
    root: &Path,
    names: &[impl AsRef<str>],
    each: &mut EtcVisitor<'_>,
) -> io::Result<()> {
    let Some(etc) = absent(open(CWD, &root.join("etc"), FileType::Directory))? else {
        return Ok(());
    };
    for name in names {
        walk(etc.as_fd(), name.as_ref(), name.as_ref().to_owned(), each)?;
    }
    Ok(())
}

fn walk(
    dir: BorrowedFd<'_>,
    name: &str,
    path: String,
    each: &mut EtcVisitor<'_>,
) -> io::Result<()> {
    // Most entries are links.
    if let Some(target) = absent(rustix::fs::readlinkat(dir, name, Vec::new()))? {
        if let Ok(target) = target.into_string() {
            each(path, EtcEntry::Link(target), None);
        }
        return Ok(());
    }
    let Some(file) = absent(open(dir, Path::new(name), FileType::Unknown))? else { return Ok(()) };
    let stat = rustix::fs::fstat(&file)?;
    let allows = |bits: RawMode| stat.st_mode & bits == bits;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if allows(0o004) && stat.st_size.unsigned_abs() <= LARGEST => {
            let mut bytes = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0));
            io::Read::read_to_end(&mut std::fs::File::from(file), &mut bytes)?;
            each(path, EtcEntry::File(bytes), Some(&stat));
        }
        FileType::Directory if allows(0o005) => {
            if each(path.clone(), EtcEntry::Dir, Some(&stat)) == Descend::Yes {
                for name in names_in(file.as_fd())? {
                    walk(file.as_fd(), &name, format!("{path}/{name}"), each)?;
                }
            }
        }
        _ => _ = each(path, EtcEntry::Hidden, Some(&stat)),
    }
    Ok(())
}

/// Opens anything but a link, without blocking.
fn open(dir: impl AsFd, path: &Path, kind: FileType) -> Result<rustix::fd::OwnedFd, Errno> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    match kind {
        FileType::Directory => flags |= OFlags::DIRECTORY,
        _ => flags |= OFlags::NOFOLLOW,
    }
    rustix::fs::openat(dir, path, flags, Mode::empty())
}

/// Turns the error of an entry that does not exist, no longer exists, is of another kind or may not be read by this
/// user into none.
fn absent<T>(result: Result<T, Errno>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::INVAL
            | Errno::LOOP
            | Errno::ACCESS
            | Errno::PERM
            | Errno::NXIO,
        ) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Returns the names in a directory that are UTF-8, sorted.
fn names_in(dir: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?;
        let name = std::ffi::OsStr::from_bytes(name.file_name().to_bytes());
        names.extend(name.to_str().filter(|name| !matches!(*name, "." | "..")).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn found(root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        walk_etc(root, &system_etc(root).unwrap(), &mut |path, entry, _| {
            found.push(match entry {
                EtcEntry::Hidden => return Descend::No,
                EtcEntry::File(bytes) => format!("{path}={}", String::from_utf8(bytes).unwrap()),
                EtcEntry::Link(target) => format!("{path}>{target}"),
                EtcEntry::Dir => format!("{path}/"),
            });
            Descend::Yes
        })
        .unwrap();
        found
    }

    #[test]
    fn system_files_are_found_but_not_private_ones() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(found(root), [] as [&str; 0]);
        let etc = root.join("etc");
        for path in ["ssl/certs", "ssl/private", "java-17/security", "home"] {
            fs::create_dir_all(etc.join(path)).unwrap();
        }
        for path in
            ["ssl/certs/a", "ssl/private/key", "ssl/key", "java-17/security/policy", "passwd"]
        {
            fs::write(etc.join(path), "x").unwrap();
        }
        symlink("/usr/lib/a", etc.join("ssl/certs/b")).unwrap();
        symlink("../usr/lib/os-release", etc.join("os-release")).unwrap();
        rustix::fs::mkfifoat(CWD, etc.join("ssl/pipe"), Mode::from_raw_mode(0o644)).unwrap();
        let private = fs::Permissions::from_mode(0o710);
        fs::set_permissions(etc.join("ssl/private"), private).unwrap();
        fs::set_permissions(etc.join("ssl/key"), fs::Permissions::from_mode(0o640)).unwrap();
        let expected = [
            "java-17/",
            "java-17/security/",
            "java-17/security/policy=x",
            "os-release>../usr/lib/os-release",
            "ssl/",
            "ssl/certs/",
            "ssl/certs/a=x",
            "ssl/certs/b>/usr/lib/a",
        ];
        assert_eq!(found(root), expected);
    }
}
