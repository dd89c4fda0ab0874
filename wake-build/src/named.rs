//! Things by their names: made once, looked at often, and many of them with few in each.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Things sorted by their names, each name there once.
#[derive(Clone, Debug)]
pub(crate) struct Named<T>(Box<[(String, T)]>);

impl<T> Named<T> {
    /// The thing of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        let at = self.0.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Every name with its thing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.0.iter().map(|(name, thing)| (name, thing))
    }

    /// The names.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The things.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, thing)| thing)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    /// Of several things of one name the last one counts.
    fn from_iter<I: IntoIterator<Item = (String, T)>>(things: I) -> Named<T> {
        Named(sorted(things.into_iter().collect()).into())
    }
}

/// The same things sorted by their names; of several of one name the last one.
pub(crate) fn sorted<K: Ord, T>(mut things: Vec<(K, T)>) -> Vec<(K, T)> {
    if !things.is_sorted_by(|(left, _), (right, _)| left < right) {
        things.reverse();
        things.sort_by(|(left, _), (right, _)| left.cmp(right));
        things.dedup_by(|(later, _), (earlier, _)| later == earlier);
    }
    things
}

impl<T> IntoIterator for Named<T> {
    type Item = (String, T);
    type IntoIter = std::vec::IntoIter<(String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("things by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut things = Vec::new();
                while let Some(thing) = map.next_entry()? {
                    things.push(thing);
                }
                Ok(things.into_iter().collect())
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_the_map_of_the_same_things() {
        for names in ["", "a", "ab", "ba", "aa", "cabbacab"] {
            let things = || names.chars().enumerate().map(|(at, name)| (name.to_string(), at));
            let (named, map): (Named<usize>, BTreeMap<String, usize>) =
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
