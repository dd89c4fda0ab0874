//! The contents of hosts, kept in the store by host identity, to explain what changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wake_exec::HostContents;
use wake_model::encode::{Domain, Encoder, digest_bytes};
use wake_model::{Digest, HostDigest};
use wake_store::Store;

/// The version of the stored form.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    contents: HostContents,
}

/// One difference between two hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostChange {
    /// The part: `package gcc`, `file /etc/ld.so.cache`.
    pub(crate) part: String,
    /// Its old value; none if it did not exist.
    pub(crate) old: Option<String>,
    /// Its new value; none if it is gone.
    pub(crate) new: Option<String>,
}

/// Stores the contents of the host `digest` when the memo is flushed.
pub(crate) fn keep(store: &Store, digest: &HostDigest, contents: &HostContents) {
    let key = key(digest);
    if store.memo().get(&key).is_some() {
        return;
    }
    let kept = Kept { v: VERSION, contents: contents.clone() };
    // Without it, only an explanation is lost.
    if let Ok(bytes) = serde_json::to_vec(&kept) {
        store.memo().put(key, bytes);
    }
}

/// Returns the differences between two hosts; none unless the store knows both.
pub(crate) fn changes(store: &Store, old: &Digest, new: &Digest) -> Option<Vec<HostChange>> {
    let contents = |digest: &Digest| -> Option<HostContents> {
        let bytes = store.memo().get(&key(&HostDigest(*digest)))?;
        let Kept { v, contents } = serde_json::from_slice(&bytes).ok()?;
        (v == VERSION).then_some(contents)
    };
    Some(differing(&contents(old)?, &contents(new)?))
}

fn differing(old: &HostContents, new: &HostContents) -> Vec<HostChange> {
    let mut found = between("package", &old.packages, &new.packages, str::to_owned);
    if found.is_empty() {
        // The packages say more than the fact that the database changed.
        found = between("file", &old.databases, &new.databases, short);
    }
    found.extend(between("file", &old.etc, &new.etc, short));
    found
}

fn between(
    kind: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    shown: fn(&str) -> String,
) -> Vec<HostChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let change = |name: &String| HostChange {
        part: format!("{kind} {name}"),
        old: old.get(name).map(|value| shown(value)),
        new: new.get(name).map(|value| shown(value)),
    };
    differing.map(change).collect()
}

/// Shortens a digest for messages.
fn short(value: &str) -> String {
    value.chars().take(12).collect()
}

fn key(digest: &HostDigest) -> Digest {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    encoder.list(2);
    encoder.text("contents of a host");
    encoder.digest(&digest.0);
    digest_bytes(Domain::Evaluation, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(packages: &[(&str, &str)], database: &str, etc: &[(&str, &str)]) -> HostContents {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let databases = map(&[("/db", database)]);
        HostContents { packages: map(packages), databases, etc: map(etc) }
    }

    fn told(old: &HostContents, new: &HostContents) -> Vec<String> {
        let told = |HostChange { part, old, new }: HostChange| {
            let value = |value: Option<String>| value.unwrap_or("-".to_owned());
            format!("{part} {} {}", value(old), value(new))
        };
        differing(old, new).into_iter().map(told).collect()
    }

    #[test]
    fn packages_are_named_and_a_database_only_where_they_do_not_explain_it() {
        let old = host(&[("gcc", "12"), ("make", "4"), ("tar", "1")], "x", &[("/etc/a", "1")]);
        let new = host(&[("gcc", "13"), ("make", "4"), ("zip", "3")], "y", &[("/etc/a", "1")]);
        assert_eq!(told(&old, &new), ["package gcc 12 13", "package tar 1 -", "package zip - 3"]);
        let same = host(&[("gcc", "12"), ("make", "4"), ("tar", "1")], "y", &[]);
        assert_eq!(told(&old, &same), ["file /db x y", "file /etc/a 1 -"]);
        assert!(told(&old, &old).is_empty());
    }
}
