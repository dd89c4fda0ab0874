//! The differences between two locks.

use std::collections::BTreeMap;

use wake_model::{Lock, LockedPkg, PkgName};

/// Returns the changes between two locks, sorted by package.
pub(crate) fn changes(before: &Lock, after: &Lock) -> Vec<LockChange> {
    let moved = moved(before, after);
    let by_range = |lock: &Lock| -> BTreeMap<(PkgName, String), Vec<String>> {
        let mut versions = BTreeMap::<_, Vec<String>>::new();
        for pkg in lock.iter() {
            let versions = versions.entry((pkg.name.clone(), pkg.version.range())).or_default();
            versions.push(pkg.version.to_string());
        }
        versions
    };
    let (before, after) = (by_range(before), by_range(after));
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut changes = Vec::new();
    for key in keys {
        let versions = |of: &BTreeMap<_, Vec<String>>| of.get(key).cloned().unwrap_or_default();
        let (old, new) = (versions(&before), versions(&after));
        let gone: Vec<String> =
            old.iter().filter(|version| !new.contains(version)).cloned().collect();
        let come: Vec<String> =
            new.iter().filter(|version| !old.contains(version)).cloned().collect();
        let pkg = key.0.clone();
        match (gone.as_slice(), come.as_slice()) {
            ([from], [to]) => {
                let (from, to) = (Some(from.clone()), Some(to.clone()));
                changes.push(LockChange { pkg, from, to });
            }
            (gone, come) => {
                changes.extend(gone.iter().map(|from| LockChange {
                    pkg: pkg.clone(),
                    from: Some(from.clone()),
                    to: None,
                }));
                changes.extend(come.iter().map(|to| LockChange {
                    pkg: pkg.clone(),
                    from: None,
                    to: Some(to.clone()),
                }));
            }
        }
    }
    changes.extend(moved);
    changes
}

/// Returns the versions that both locks have, but from different sources.
fn moved(before: &Lock, after: &Lock) -> Vec<LockChange> {
    let now = |old: &LockedPkg| after.iter().find(|new| new.key() == old.key()).cloned();
    let pairs = before.iter().filter_map(|old| Some((old, now(old)?)));
    let moved = pairs.filter(|(old, new)| *old != new);
    moved
        .map(|(old, new)| LockChange {
            pkg: old.name.clone(),
            from: Some(format!("{} {}", old.version, old.source)),
            to: Some(format!("{} {}", new.version, new.source)),
        })
        .collect()
}

/// A change of one line in a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockChange {
    /// The package.
    pub pkg: PkgName,
    /// The old version, if there was one.
    pub from: Option<String>,
    /// The new version, if there is one.
    pub to: Option<String>,
}

/// For users: `+ acme/greet 1.2.0`, `~ acme/text 2.0.1 -> 2.1.0`.
impl std::fmt::Display for LockChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LockChange { pkg, from, to } = self;
        match (from, to) {
            (Some(from), Some(to)) => write!(f, "~ {pkg} {from} -> {to}"),
            (Some(from), None) => write!(f, "- {pkg} {from}"),
            (None, Some(to)) => write!(f, "+ {pkg} {to}"),
            (None, None) => write!(f, "  {pkg}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn changes_of_lines_are_reported_by_range() {
        let lock = |versions: &[&str]| {
            let line = |version: &&str| format!("{version} acme {}\n", "0".repeat(64));
            let lines: String = versions.iter().map(line).collect();
            Lock::parse(&format!("wake-lock 1\n{lines}")).unwrap()
        };
        let before = lock(&["acme/a 1.0.0", "acme/b 1.0.0", "acme/c 0.1.0", "acme/d 1.0.0"]);
        let after = lock(&["acme/a 1.1.0", "acme/b 1.0.0", "acme/c 0.2.0", "acme/e 1.0.0"]);
        let said: Vec<String> =
            changes(&before, &after).iter().map(LockChange::to_string).collect();
        let expected = [
            "~ acme/a 1.0.0 -> 1.1.0",
            "- acme/c 0.1.0",
            "+ acme/c 0.2.0",
            "- acme/d 1.0.0",
            "+ acme/e 1.0.0",
        ];
        assert_eq!(said, expected);
        assert!(changes(&after, &after).is_empty());
        let elsewhere = Lock::parse(&before.to_string().replace(" acme ", " main ")).unwrap();
        let said = changes(&before, &elsewhere);
        assert_eq!(
            (said.len(), said[0].to_string()),
            (4, "~ acme/a 1.0.0 acme -> 1.0.0 main".to_owned())
        );
    }
}
