//! Version comparison, which differs between the generations.
//!
//! | | parts | order |
//! |---|---|---|
//! | [`Tag`], of the first | split at `.` and `-` | part by part: two numbers as numbers, all else by code points; then the shorter is smaller |
//! | [`Release`], of the second | `major[.minor[.patch]][-suffix]` | by padded text; versions that agree up to the precision of the less precise one are *equal* |

mod release;
mod tag;

pub use release::Release;
pub use tag::Tag;

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Range<V> {
    /// Any version.
    Any,
    /// The versions equal to this one.
    Exactly(V),
    /// This version and above.
    AtLeast(V),
    /// This version and below.
    AtMost(V),
    /// From the first version to the second, inclusive.
    Between(V, V),
}

/// A version that can be compared with the bounds of a range.
pub trait Comparable {
    /// Whether both are the same version.
    fn is(&self, other: &Self) -> bool;
    /// Whether it is `other` or above.
    fn at_least(&self, other: &Self) -> bool;
    /// Whether it is `other` or below.
    fn at_most(&self, other: &Self) -> bool;
}

impl<V: Comparable> Range<V> {
    /// Whether the range contains `version`.
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
