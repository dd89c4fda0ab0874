//! How versions compare, which each generation of the documents does in its own way.
//!
//! | | parts | order |
//! |---|---|---|
//! | [`Tag`], of the first | split at `.` and `-` | part by part: two numbers as numbers, all else by code points; then the shorter is smaller |
//! | [`Release`], of the second | `major[.minor[.patch]][-suffix]` | a padded text; what agrees as far as the shorter goes is *equal* |

mod release;
mod tag;

pub use release::Release;
pub use tag::Tag;

/// Which versions are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Range<V> {
    /// Every one.
    Any,
    /// Those equal to it.
    Exactly(V),
    /// It and what is above.
    AtLeast(V),
    /// It and what is below.
    AtMost(V),
    /// Both and what is between.
    Between(V, V),
}

/// A version that can be compared with a bound.
pub trait Comparable {
    /// Whether this is the same version for the grammar.
    fn is(&self, other: &Self) -> bool;
    /// Whether this stands at `other` or above.
    fn at_least(&self, other: &Self) -> bool;
    /// Whether this stands at `other` or below.
    fn at_most(&self, other: &Self) -> bool;
}

impl<V: Comparable> Range<V> {
    /// Whether `version` is meant.
    pub fn contains(&self, version: &V) -> bool {
        match self {
            Range::Any => true,
            Range::Exactly(it) => version.is(it),
            Range::AtLeast(low) => version.at_least(low),
            Range::AtMost(high) => version.at_most(high),
            Range::Between(low, high) => version.at_least(low) && version.at_most(high),
        }
    }
}
