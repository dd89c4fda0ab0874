//! The problem to solve, and the errors.

use std::collections::BTreeSet;

use wake_model::{Lock, PkgName, Version};

use crate::universe::Demand;

/// The problem to solve.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// All requirements of workspace packages for registries.
    pub demands: &'a [Demand],
    /// The lock. If it has two versions of one range, as a merged lock may, either can be kept.
    pub lock: &'a Lock,
    /// The packages to update.
    pub update: Update,
    /// The packages that must have a certain version.
    pub exact: &'a [Exact],
    /// The maximum number of steps of all searches together; as many again for a proof and for help. [`MOST_STEPS`]
    /// suits interactive use.
    pub steps: u64,
}

/// Enough steps for practical problems, and few enough to end within seconds otherwise.
pub const MOST_STEPS: u64 = 20_000_000;

/// The lines of the lock to ignore from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// None.
    Nothing,
    /// Those of these packages.
    Only(BTreeSet<PkgName>),
    /// All.
    Everything,
}

impl Update {
    /// Whether the lock counts for a package.
    pub(crate) fn keeps(&self, name: &PkgName) -> bool {
        match self {
            Update::Nothing => true,
            Update::Only(names) => !names.contains(name),
            Update::Everything => false,
        }
    }
}

/// A package that must have a certain version in the range of that version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    /// The package.
    pub name: PkgName,
    /// The version.
    pub version: Version,
}

/// A chosen version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chosen {
    /// The package.
    pub name: PkgName,
    /// The version, as written by the universe.
    pub version: Version,
}

/// Why no versions were chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsolved<E> {
    /// The universe did not answer.
    Unanswered(E),
    /// The task has no solution; never empty.
    Faults(Vec<Fault>),
}

/// One error, in the parts of a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The message: a lower-case fragment.
    pub message: String,
    /// The number of the demand at whose place the error is shown; `None` if it is about an exact version.
    pub demand: Option<usize>,
    /// The label below the caret.
    pub label: Option<String>,
    /// The reasons, one line each.
    pub notes: Vec<String>,
    /// Help, one line each. A version offered here has been tried: with it, everything fits.
    pub help: Vec<String>,
}

/// A wish of the workspace itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// The exact version with this number.
    Exact(usize),
    /// The demand with this number.
    Demand(usize),
}

impl Wanted {
    /// Returns the number of the demand, if it is one.
    pub(crate) fn demand(self) -> Option<usize> {
        match self {
            Wanted::Demand(number) => Some(number),
            Wanted::Exact(_) => None,
        }
    }
}
