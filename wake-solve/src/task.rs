//! What is to be solved, and what is said of what cannot be.

use std::collections::BTreeSet;

use wake_model::{Lock, PkgName, Version};

use crate::universe::Demand;

/// What is to be solved.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// Everything that packages of the workspace require from registries.
    pub demands: &'a [Demand],
    /// What is locked. Two versions in one range, as two merged locks may have them, leave the choice between both.
    pub lock: &'a Lock,
    /// Which packages are to be as new as they can be.
    pub update: Update,
    /// Which packages are to have a certain version.
    pub exact: &'a [Exact],
    /// How many steps all searches together may take, and as many again for a proof and for what would help; [`MOST_STEPS`] is for
    /// people who wait.
    pub steps: u64,
}

/// Steps that suffice for whatever people ask for, and end within seconds where they do not.
pub const MOST_STEPS: u64 = 20_000_000;

/// Which lines of the lock are let go from the beginning.
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
    /// Whether the lock still counts for a package.
    pub(crate) fn keeps(&self, name: &PkgName) -> bool {
        match self {
            Update::Nothing => true,
            Update::Only(names) => !names.contains(name),
            Update::Everything => false,
        }
    }
}

/// A package that is to have a certain version in the range of that version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    /// The package.
    pub name: PkgName,
    /// The version.
    pub version: Version,
}

/// A version that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chosen {
    /// The package.
    pub name: PkgName,
    /// The version, as the universe writes it.
    pub version: Version,
}

/// Why no versions were chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsolved<E> {
    /// The universe did not answer.
    Unanswered(E),
    /// What is asked for cannot be had; never empty.
    Faults(Vec<Fault>),
}

/// One thing that cannot be had, in the parts of a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// The demand, by its number, at whose place it is shown; none if it is about a exact.
    pub demand: Option<usize>,
    /// What stands under the caret there.
    pub label: Option<String>,
    /// Why, one line each.
    pub notes: Vec<String>,
    /// What to do about it, one line each. A version that is offered here has been tried: with it everything fits.
    pub help: Vec<String>,
}

/// Something that must be met: what the workspace asks for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// The exact of this number.
    Exact(usize),
    /// The demand of this number.
    Demand(usize),
}

impl Wanted {
    /// The demand, if it is one.
    pub(crate) fn demand(self) -> Option<usize> {
        match self {
            Wanted::Demand(number) => Some(number),
            Wanted::Exact(_) => None,
        }
    }
}
