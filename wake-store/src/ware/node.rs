//! One node of a tree: its metadata, and its contribution to the tree's hash.

use super::cbor::Cbor;
use super::hash::Sha384Digest;
use std::collections::BTreeMap;

/// The time that stands for "no time": 2010-01-01T00:00:00Z, in seconds since 1970.
pub const DEFAULT_TIME: i64 = 1_262_304_000;

/// The kind of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file of this many bytes.
    File {
        /// Length of the content in bytes.
        size: u64,
    },
    /// A directory.
    Dir,
    /// A symbolic link; its target is never followed here.
    Symlink {
        /// The link's target.
        target: String,
    },
    /// A second name for an earlier file of the same archive.
    Hardlink {
        /// The path of that file, as written in the archive.
        target: String,
    },
    /// A named pipe.
    Fifo,
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

impl Node {
    fn letter(&self) -> &'static str {
        match self {
            Node::File { .. } => "f",
            Node::Dir => "d",
            Node::Symlink { .. } => "L",
            Node::Hardlink { .. } => "h",
            Node::Fifo => "p",
            Node::BlockDevice { .. } => "D",
            Node::CharDevice { .. } => "c",
        }
    }
}

/// A time, in seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Whole seconds; negative before 1970.
    pub seconds: i64,
    /// Nanoseconds after the second, below 1,000,000,000.
    pub nanos: u32,
}

/// The highest user or group ID: the one above means "none" to the system.
pub const MAX_OWNER: u32 = u32::MAX - 1;

/// What a ware declares about one node, except its name and content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its kind.
    pub node: Node,
    /// Permission bits with setuid, setgid and sticky: the lowest twelve.
    pub perms: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Timestamp,
    /// Extended attributes; read from archives, never from a disk.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

impl Meta {
    /// Returns a directory that no record declares but that a path needs: 0755, owner 0:0, the default time.
    pub fn conjured() -> Self {
        Self {
            node: Node::Dir,
            perms: 0o755,
            uid: 0,
            gid: 0,
            mtime: Timestamp { seconds: DEFAULT_TIME, nanos: 0 },
            xattrs: BTreeMap::new(),
        }
    }

    /// Returns whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.node == Node::Dir
    }
}

/// Which nodes count in a directory's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// Only files and directories, as in the Timeless `tar` and `zip` ids.
    FilesAndDirs,
    /// Every node, as in `tree` ids.
    EveryNode,
}

/// What enters a node's hash besides its metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// The hash of a file's content.
    Content(&'a Sha384Digest),
    /// The hashes of a directory's children in hashing order.
    Children(&'a [Sha384Digest]),
    /// Nothing: a link, pipe or device.
    Nothing,
}

/// Returns the hash of the node called `name`; the root is called `.`.
pub(crate) fn node_hash(name: &str, meta: &Meta, body: Body<'_>) -> Sha384Digest {
    let mut cbor = Cbor::new();
    cbor.map(if matches!(body, Body::Nothing) { 1 } else { 2 });
    cbor.text("m");
    write_meta(&mut cbor, name, meta);
    match body {
        Body::Content(digest) => {
            cbor.text("h");
            cbor.bytes(digest.as_bytes());
        }
        Body::Children(children) => {
            cbor.text("l");
            cbor.open_array();
            children.iter().for_each(|child| cbor.bytes(child.as_bytes()));
            cbor.close();
        }
        Body::Nothing => {}
    }
    Sha384Digest::of(cbor.as_bytes())
}

/// Writes the map with a node's metadata. Its keys have a fixed order.
fn write_meta(cbor: &mut Cbor, name: &str, meta: &Meta) {
    let Meta { node, perms, uid, gid, mtime, xattrs } = meta;
    let link = match node {
        Node::Symlink { target } | Node::Hardlink { target } if !target.is_empty() => Some(target),
        _ => None,
    };
    let device = match node {
        Node::BlockDevice { major, minor } | Node::CharDevice { major, minor } => {
            Some((*major, *minor))
        }
        _ => None,
    };
    let keys = 7
        + usize::from(link.is_some())
        + 2 * usize::from(device.is_some())
        + usize::from(!xattrs.is_empty());
    cbor.map(keys);
    for (key, value) in [("n", name), ("t", node.letter())] {
        cbor.text(key);
        cbor.text(value);
    }
    for (key, value) in [("p", u32::from(*perms)), ("u", *uid), ("g", *gid)] {
        cbor.text(key);
        cbor.int(i64::from(value));
    }
    if let Some(link) = link {
        cbor.text("l");
        cbor.text(link);
    }
    if let Some((major, minor)) = device {
        cbor.text("dM");
        cbor.int(i64::from(major));
        cbor.text("dm");
        cbor.int(i64::from(minor));
    }
    cbor.text("m");
    cbor.int(mtime.seconds);
    cbor.text("mn");
    cbor.int(i64::from(mtime.nanos));
    if !xattrs.is_empty() {
        cbor.text("x");
        cbor.map(xattrs.len());
        for (key, value) in xattrs {
            cbor.text(key);
            cbor.raw_text(value);
        }
    }
}
