//! The effect of a filter on one node.

use super::{Direction, Filters, Mtime, Owner, Special};
use crate::clock;
use crate::ware::node::{Meta, Node, Timestamp};
use std::fmt::Display;

/// A filter ready to be applied: nothing unset, `mine` and `now` replaced by numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<i64>,
    sticky: Special,
    setid: Special,
    dev: Special,
}

/// Whether a node is kept by a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It is kept, possibly changed.
    Through,
    /// The filter drops it.
    Dropped,
}

impl Rules {
    /// Reads the clock for `mtime=now` and the process's IDs for `mine`; unset fields leave things unchanged.
    pub(crate) fn of<D: Direction>(filters: &Filters<D>) -> Self {
        let owner = |owner: Option<Owner>, mine: u32| match owner {
            None | Some(Owner::Pass) => None,
            Some(Owner::Mine) => Some(mine),
            Some(Owner::Id(id)) => Some(id),
        };
        let now = || clock::since_1970().as_secs() as i64;
        Self {
            uid: owner(filters.uid, rustix::process::geteuid().as_raw()),
            gid: owner(filters.gid, rustix::process::getegid().as_raw()),
            mtime: match filters.mtime {
                None | Some(Mtime::Pass) => None,
                Some(Mtime::Now) => Some(now()),
                Some(Mtime::At(seconds)) => Some(seconds),
            },
            sticky: filters.sticky.unwrap_or(Special::Pass),
            setid: filters.setid.unwrap_or(Special::Pass),
            dev: filters.dev.unwrap_or(Special::Pass),
        }
    }

    /// Returns whether applying the rules can change a tree or refuse it.
    pub(crate) fn alter(&self) -> bool {
        self.uid.is_some()
            || self.gid.is_some()
            || self.mtime.is_some()
            || [self.sticky, self.setid, self.dev].iter().any(|rule| *rule != Special::Pass)
    }

    /// Applies the rules to `meta`, the metadata of the node at `path`.
    pub(crate) fn apply(
        &self,
        path: &dyn Display,
        meta: &mut Meta,
    ) -> Result<Passage, FilterRejection> {
        self.uid.inspect(|uid| meta.uid = *uid);
        self.gid.inspect(|gid| meta.gid = *gid);
        self.mtime.inspect(|seconds| meta.mtime = Timestamp { seconds: *seconds, nanos: 0 });
        if self.sticky != Special::Pass {
            meta.perms &= !0o1000;
        }
        if meta.perms & 0o6000 != 0 {
            match self.setid {
                Special::Pass => {}
                Special::Ignore => meta.perms &= !0o6000,
                Special::Reject => {
                    return Err(FilterRejection::SetId {
                        path: path.to_string(),
                        perms: meta.perms,
                    });
                }
            }
        }
        let (kind, major, minor) = match meta.node {
            Node::BlockDevice { major, minor } => ("block", major, minor),
            Node::CharDevice { major, minor } => ("character", major, minor),
            _ => return Ok(Passage::Through),
        };
        match self.dev {
            Special::Pass => Ok(Passage::Through),
            Special::Ignore => Ok(Passage::Dropped),
            Special::Reject => {
                Err(FilterRejection::Device { path: path.to_string(), kind, major, minor })
            }
        }
    }
}

/// A filter says `reject`, and the tree contains what it rejects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterRejection {
    /// A set-user or set-group bit under `setid=reject`.
    #[error("`{path}` has permissions 0{perms:o}, which filter `setid=reject` refuses")]
    SetId {
        /// The path in the tree.
        path: String,
        /// The permission bits.
        perms: u16,
    },
    /// A device under `dev=reject`.
    #[error("`{path}` is the {kind} device {major},{minor}, which filter `dev=reject` refuses")]
    Device {
        /// The path in the tree.
        path: String,
        /// `block` or `character`.
        kind: &'static str,
        /// The device's major number.
        major: u32,
        /// The device's minor number.
        minor: u32,
    },
}
