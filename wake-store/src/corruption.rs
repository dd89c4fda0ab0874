//! Reports of corrupt content in the store.

use std::fmt;
use std::path::PathBuf;

use wake_model::ActionDigest;

/// The result of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Lookup<T> {
    /// It exists and is unmodified.
    Hit(T),
    /// It does not exist.
    Miss,
    /// It was corrupt, and has been removed.
    Corrupt(Corruption),
}

impl<T> Lookup<T> {
    /// Returns the value of a hit.
    pub fn hit(self) -> Option<T> {
        match self {
            Lookup::Hit(value) => Some(value),
            Lookup::Miss | Lookup::Corrupt(_) => None,
        }
    }
}

/// Content of the store that does not match its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The corrupt file or directory.
    pub path: PathBuf,
    /// How it is corrupt.
    pub damage: Damage,
    /// Where it was moved, if it was kept: a user may have written into a result.
    pub kept: Option<PathBuf>,
}

/// How something is corrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A record is truncated, altered, or stored under the name of another.
    Record,
    /// A pack contains a record of this action that is truncated or altered.
    PackedRecord(ActionDigest),
    /// A tree's content does not have the digest that it is named after.
    Content,
    /// A tree contains something that no tree may contain, such as a device.
    Foreign(String),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path.display(), self.damage)?;
        match &self.kept {
            Some(kept) => write!(f, "; its content was moved to `{}`", kept.display()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Record => f.write_str("is damaged"),
            Damage::PackedRecord(action) => {
                write!(f, "contains a damaged record of action {}", action.0.short(12))
            }
            Damage::Content => f.write_str("does not match the digest in its name"),
            Damage::Foreign(what) => write!(f, "contains {what}"),
        }
    }
}
