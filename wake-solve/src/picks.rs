//! Sets of versions, by their numbers in their range.

use std::fmt;
use std::ops::{Bound, Range};

use pubgrub::{Ranges, VersionSet};

/// A set of numbers. Two sets derived from finite ones are equal exactly if they contain the same numbers.
///
/// Numbers are versions that exist, so an interval always ends just before the next number. `Ranges` itself does not
/// know that there is nothing between 3 and 4, and would treat equal sets as different.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Picks(Ranges<u32>);

impl Picks {
    /// Creates the set of these ascending numbers.
    pub(crate) fn of(numbers: impl IntoIterator<Item = u32>) -> Picks {
        let singletons = numbers
            .into_iter()
            .map(|number| (Bound::Included(number), Bound::Excluded(number + 1)));
        Picks(singletons.collect())
    }

    /// Iterates over its numbers below `count` as ascending intervals.
    fn spans(&self, count: u32) -> impl Iterator<Item = Range<u32>> {
        let span = move |(start, end): (&Bound<u32>, &Bound<u32>)| {
            let start = match *start {
                Bound::Included(start) => start,
                Bound::Excluded(before) => before + 1,
                Bound::Unbounded => 0,
            };
            let end = match *end {
                Bound::Included(last) => last + 1,
                Bound::Excluded(end) => end,
                Bound::Unbounded => count,
            };
            start..end.min(count)
        };
        self.0.iter().map(span).filter(|span| !span.is_empty())
    }

    /// Iterates over its numbers below `count`, ascending.
    pub(crate) fn numbers(&self, count: u32) -> impl Iterator<Item = u32> {
        self.spans(count).flatten()
    }

    /// Returns how many numbers below `count` it contains.
    pub(crate) fn len(&self, count: u32) -> usize {
        self.spans(count).map(|span| span.len()).sum()
    }

    /// Returns its highest number below `count`.
    pub(crate) fn highest(&self, count: u32) -> Option<u32> {
        self.spans(count).last().map(|span| span.end - 1)
    }

    /// Whether it is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Picks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl VersionSet for Picks {
    type V = u32;

    fn empty() -> Picks {
        Picks(Ranges::empty())
    }

    fn full() -> Picks {
        Picks(Ranges::full())
    }

    fn singleton(number: u32) -> Picks {
        Picks::of([number])
    }

    fn complement(&self) -> Picks {
        Picks(self.0.complement())
    }

    fn intersection(&self, other: &Picks) -> Picks {
        Picks(self.0.intersection(&other.0))
    }

    fn union(&self, other: &Picks) -> Picks {
        Picks(self.0.union(&other.0))
    }

    fn contains(&self, number: &u32) -> bool {
        self.0.contains(number)
    }

    fn is_disjoint(&self, other: &Picks) -> bool {
        self.0.is_disjoint(&other.0)
    }

    fn subset_of(&self, other: &Picks) -> bool {
        self.0.subset_of(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_the_same_numbers_are_equal() {
        let three = Picks::of([3, 4, 5]);
        assert_eq!(Picks::of([3]).union(&Picks::of([4])).union(&Picks::of([5])), three);
        assert_eq!(three.complement().complement(), three);
        let without = |number| Picks::of([number]).complement();
        assert_eq!(Picks::of([2, 3, 4, 5]).intersection(&without(2)), three);
        assert_eq!(Picks::of([3, 4, 5, 6]).intersection(&without(6)), three);
        assert_eq!(Picks::of([3, 4]).intersection(&without(4)), Picks::singleton(3));
        assert!(Picks::of([3]).intersection(&without(3)).is_empty());
    }

    #[test]
    fn numbers_are_those_that_exist() {
        let picks = Picks::of([0, 2, 3]);
        assert_eq!(picks.numbers(5).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!(picks.complement().numbers(6).collect::<Vec<_>>(), [1, 4, 5]);
        assert_eq!((picks.len(3), picks.highest(3), picks.highest(9)), (2, Some(2), Some(3)));
        assert_eq!((Picks::full().len(4), Picks::empty().highest(4)), (4, None));
    }
}
