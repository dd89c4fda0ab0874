//! What is told when something in the store is not what it was.

use std::fmt;
use std::path::PathBuf;

use wake_model::ActionDigest;

/// What came of looking something up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Lookup<T> {
    /// It is there, and it is what was put there.
    Hit(T),
    /// It is not there.
    Miss,
    /// It was there, was not what it claimed, and is there no longer.
    Corrupt(Corruption),
}

impl<T> Lookup<T> {
    /// The thing, where it is there.
    pub fn hit(self) -> Option<T> {
        match self {
            Lookup::Hit(value) => Some(value),
            Lookup::Miss | Lookup::Corrupt(_) => None,
        }
    }
}

/// Something in the store is not what its name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file or directory that is wrong.
    pub path: PathBuf,
    /// How it is wrong.
    pub damage: Damage,
    /// Where it has been put aside, if it was kept: people may have written into a result.
    pub kept: Option<PathBuf>,
}

/// How something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A record is cut short, altered, or lies under the name of another.
    Record,
    /// A pack holds a record of this action that is cut short or altered.
    PackedRecord(ActionDigest),
    /// A tree's content does not have the digest it is named after.
    Content,
    /// A tree holds what no tree may hold, such as a device.
    Foreign(String),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path.display(), self.damage)?;
        match &self.kept {
            Some(kept) => write!(f, "; what was there is now `{}`", kept.display()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Record => f.write_str("is damaged"),
            Damage::PackedRecord(action) => {
                write!(f, "holds a damaged record of action {}", action.0.short(12))
            }
            Damage::Content => f.write_str("is not what its name says"),
            Damage::Foreign(what) => write!(f, "holds {what}"),
        }
    }
}
