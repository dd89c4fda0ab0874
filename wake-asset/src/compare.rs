//! Comparing the sequences of two genomes.

use std::collections::HashMap;
use std::hash::Hash;

use crate::genome::Sequence;

/// What two genomes share, as bits. Source: `spec/assets.md`, "Comparing genomes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison(pub u32);

const FLAGS: [&str; 11] = [
    "CONTENT_ALL_A_IN_B",
    "CONTENT_ALL_B_IN_A",
    "LENGTHS_ALL_A_IN_B",
    "LENGTHS_ALL_B_IN_A",
    "NAMES_ALL_A_IN_B",
    "NAMES_ALL_B_IN_A",
    "CONTENT_A_ORDER",
    "CONTENT_B_ORDER",
    "CONTENT_ANY_SHARED",
    "LENGTHS_ANY_SHARED",
    "NAMES_ANY_SHARED",
];

impl Comparison {
    /// Compares the sequences of two genomes.
    pub fn of(a: &[Sequence], b: &[Sequence]) -> Comparison {
        let content = Shared::of(a, b, |sequence| &*sequence.digest);
        let lengths = Shared::of(a, b, |sequence| sequence.length);
        let names = Shared::of(a, b, |sequence| &*sequence.name);
        let is_set = [
            content.all_a,
            content.all_b,
            lengths.all_a,
            lengths.all_b,
            names.all_a,
            names.all_b,
            content.a_in_order,
            content.b_in_order,
            content.any,
            lengths.any,
            names.any,
        ];
        let bits = is_set.iter().enumerate().map(|(bit, is_set)| u32::from(*is_set) << bit);
        Comparison(bits.sum())
    }

    /// Returns the names of the bits that are set, lowest first.
    pub fn flags(self) -> impl Iterator<Item = &'static str> {
        let is_set = move |(bit, _): &(usize, &&str)| self.0 & (1 << bit) != 0;
        FLAGS.iter().enumerate().filter(is_set).map(|(_, name)| *name)
    }
}

/// What two genomes share in one attribute.
struct Shared {
    all_a: bool,
    all_b: bool,
    any: bool,
    /// Whether more than one entry of the first is in the second, in the same order.
    a_in_order: bool,
    b_in_order: bool,
}

impl Shared {
    fn of<'s, K: Hash + Eq>(
        a: &'s [Sequence],
        b: &'s [Sequence],
        key: impl Fn(&'s Sequence) -> K,
    ) -> Shared {
        let (a, b): (Vec<K>, Vec<K>) = (a.iter().map(&key).collect(), b.iter().map(&key).collect());
        let (in_b, in_a) = (places(&a, &b), places(&b, &a));
        let in_order = |places: &[usize]| places.len() > 1 && places.is_sorted();
        Shared {
            all_a: in_b.len() == a.len(),
            all_b: in_a.len() == b.len(),
            any: !in_b.is_empty(),
            a_in_order: in_order(&in_b),
            b_in_order: in_order(&in_a),
        }
    }
}

/// The first positions in `others` of those of `these` that are in it.
fn places<K: Hash + Eq>(these: &[K], others: &[K]) -> Vec<usize> {
    let mut first = HashMap::new();
    for (place, key) in others.iter().enumerate() {
        first.entry(key).or_insert(place);
    }
    these.iter().filter_map(|key| first.get(key).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(of: &[(&str, u64, &str)]) -> Vec<Sequence> {
        let one = |(name, length, digest): &(&str, u64, &str)| Sequence {
            name: (*name).to_owned(),
            length: *length,
            digest: (*digest).to_owned(),
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn shared_sequences_set_bits() {
        let a = sequences(&[("1", 10, "x"), ("2", 20, "y")]);
        let more = sequences(&[("1", 10, "x"), ("2", 20, "y"), ("3", 30, "z")]);
        let renamed = sequences(&[("b", 20, "y"), ("a", 10, "x")]);
        let other = sequences(&[("1", 7, "q")]);
        let bits = |a: &[Sequence], b: &[Sequence]| Comparison::of(a, b).0;
        assert_eq!(bits(&a, &a), 2047);
        // The example of refgenie's documentation: the second has all of the first.
        assert_eq!(bits(&a, &more), 1 + 4 + 16 + 64 + 128 + 256 + 512 + 1024);
        assert_eq!(bits(&a, &renamed), 1 + 2 + 4 + 8 + 256 + 512);
        assert_eq!(bits(&a, &other), 32 + 1024);
        let names: Vec<_> = Comparison::of(&a, &other).flags().collect();
        assert_eq!(names, ["NAMES_ALL_B_IN_A", "NAMES_ANY_SHARED"]);
    }
}
