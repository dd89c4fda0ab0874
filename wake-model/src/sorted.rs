//! Maps that are made once, looked at often, and have few things in each though there are many of them.

use litemap::LiteMap;

/// Things sorted by their keys, each key there once; of several things of one key the last one counts.
pub type SortedMap<K, T> = LiteMap<K, T>;

/// Things by their names.
pub type NameMap<T> = SortedMap<String, T>;

/// The same things sorted by their keys; of several of one key the last one.
pub fn sorted<K: Ord, T>(mut things: Vec<(K, T)>) -> Vec<(K, T)> {
    if !things.is_sorted_by(|(left, _), (right, _)| left < right) {
        things.reverse();
        things.sort_by(|(left, _), (right, _)| left.cmp(right));
        things.dedup_by(|(later, _), (earlier, _)| later == earlier);
    }
    things
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_the_map_of_the_same_things() {
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
