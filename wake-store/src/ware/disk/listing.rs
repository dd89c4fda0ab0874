//! The entries of a directory and their kinds.

use crate::ware::node::{Meta, Node, Timestamp};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, Dir, FileType, Stat};
use std::collections::BTreeMap;
use std::io;

/// One name in a directory.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    /// The kind of the node.
    pub(crate) kind: FileType,
}

/// Returns the children of `dir` in hashing order: bytewise, directories with a trailing slash.
pub(crate) fn list_dir(dir: BorrowedFd<'_>) -> io::Result<Vec<Child>> {
    let mut children = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        if matches!(bytes, b"." | b"..") {
            continue;
        }
        let name = std::str::from_utf8(bytes).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("name `{}` is not UTF-8", bytes.escape_ascii()),
            )
        })?;
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        children.push(Child { name: name.to_owned(), kind });
    }
    children.sort_unstable_by(|a, b| sort_key(a).cmp(sort_key(b)));
    Ok(children)
}

fn sort_key(child: &Child) -> impl Iterator<Item = &u8> {
    let slash: &[u8] = if child.kind == FileType::Directory { b"/" } else { b"" };
    child.name.as_bytes().iter().chain(slash)
}

/// Returns the metadata of a node from its `stat`; none for a socket. A link's target is left empty.
pub(crate) fn meta_of(stat: &Stat) -> Option<Meta> {
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let node = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Node::File { size: stat.st_size as u64 },
        FileType::Directory => Node::Dir,
        FileType::Symlink => Node::Symlink { target: String::new() },
        FileType::Fifo => Node::Fifo,
        FileType::CharacterDevice => Node::CharDevice { major, minor },
        FileType::BlockDevice => Node::BlockDevice { major, minor },
        FileType::Socket | FileType::Unknown => return None,
    };
    Some(Meta {
        node,
        perms: (stat.st_mode & 0o7777) as u16,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Timestamp { seconds: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 },
        xattrs: BTreeMap::new(),
    })
}

/// Returns the target of the link `name`.
pub(crate) fn read_link(dir: impl AsFd, name: &str) -> io::Result<String> {
    let target = rustix::fs::readlinkat(dir, name, Vec::new())?;
    target
        .into_string()
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a link's target is not UTF-8"))
}
