//! Compact maps that are built once and read often.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

/// Values sorted by unique keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    from = "BTreeMap<K, T>",
    bound(deserialize = "K: Deserialize<'de> + Ord, T: Deserialize<'de>")
)]
pub struct SortedMap<K, T>(Box<[(K, T)]>);

/// Values by name.
pub type NameMap<T> = SortedMap<String, T>;

impl<K: Ord, T> SortedMap<K, T> {
    /// Returns the value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&T>
    where
        K: Borrow<Q>,
    {
        let at = self.0.binary_search_by(|(at, _)| at.borrow().cmp(key)).ok()?;
        Some(&self.0[at].1)
    }
}

impl<K, T> SortedMap<K, T> {
    /// Iterates over the keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        self.0.iter().map(|(key, thing)| (key, thing))
    }

    /// Iterates over the keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Iterates over the values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, thing)| thing)
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K, T> Default for SortedMap<K, T> {
    fn default() -> Self {
        SortedMap(Box::default())
    }
}

impl<K: Ord, T> FromIterator<(K, T)> for SortedMap<K, T> {
    /// Of several values with the same key, the last one wins.
    fn from_iter<I: IntoIterator<Item = (K, T)>>(things: I) -> Self {
        SortedMap(sorted(things.into_iter().collect()).into())
    }
}

/// Sorts pairs by key; of several with the same key, keeps the last one.
pub fn sorted<K: Ord, T>(mut things: Vec<(K, T)>) -> Vec<(K, T)> {
    if !things.is_sorted_by(|(left, _), (right, _)| left < right) {
        things.reverse();
        things.sort_by(|(left, _), (right, _)| left.cmp(right));
        things.dedup_by(|(later, _), (earlier, _)| later == earlier);
    }
    things
}

impl<K, T> IntoIterator for SortedMap<K, T> {
    type Item = (K, T);
    type IntoIter = std::vec::IntoIter<(K, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<K: Serialize, T: Serialize> Serialize for SortedMap<K, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<K, T> From<BTreeMap<K, T>> for SortedMap<K, T> {
    fn from(map: BTreeMap<K, T>) -> Self {
        SortedMap(map.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_map_equals_a_btree_map() {
        for names in ["", "a", "ab", "ba", "aa", "cabbacab"] {
            let things = || names.chars().enumerate().map(|(at, name)| (name.to_string(), at));
            let (named, map): (NameMap<usize>, BTreeMap<String, usize>) =
                (things().collect(), things().collect());
            assert!(named.iter().eq(map.iter()), "{names}");
            assert!(named.keys().eq(map.keys()) && named.values().eq(map.values()));
            assert_eq!((named.len(), named.is_empty()), (map.len(), map.is_empty()));
            for name in ["a", "b", "c", "d", ""] {
                assert_eq!(named.get(name), map.get(name));
            }
        }
    }
}
