//! Compares large sets of own files, of which an action has a single digest, to explain why a step ran.
//!
//! The memo keeps each directory by its digest, so that only directories that differ are read.

use std::collections::BTreeSet;

use wake_model::action::{Field, FieldValue, INPUTS, OWN_FILES};
use wake_model::encode::{Domain, digest_bytes, digest_of};
use wake_model::{Digest, Directories, Entry, RelPath, Tree, TreeDigest};
use wake_store::Store;

use crate::step::Inputs;

/// Stores the directories of the own files among `inputs` if there are many, so that they can be compared later.
pub(crate) fn remember(store: &Store, inputs: &Inputs) {
    let Some(own) = inputs.own_files() else { return };
    remember_directories(store, own.directories());
    if let Some(further) = inputs.further_directories() {
        remember_directories(store, &further);
    }
}

fn remember_directories(store: &Store, dirs: &Directories) {
    let memo = store.memo();
    // The directories are stored together.
    if memo.get(&key(&dirs.digest())).is_some() {
        return;
    }
    for (_, dir) in dirs.iter() {
        let bytes = dir.encode();
        memo.put(key(&TreeDigest(digest_bytes(Domain::Tree, &bytes))), bytes);
    }
}

fn key(dir: &TreeDigest) -> Digest {
    digest_of(Domain::Record, |e| {
        e.list(2);
        e.text("directory");
        e.text(&dir.to_string());
    })
}

/// Replaces, in the fields of two actions, the digest of all own files by the files that differ; leaves it if the content of a
/// directory is not known.
pub(crate) fn tell_files(store: &Store, old: &mut Vec<Field>, new: &mut Vec<Field>) {
    let (before, now) = (own_tree(old), own_tree(new));
    if before == now {
        return;
    }
    let work = work(new).or_else(|| work(old)).unwrap_or_default();
    let mut told = Differences { store, old: Vec::new(), new: Vec::new() };
    if told.compare(&work, before, now).is_none() {
        return;
    }
    for (fields, files) in [(old, told.old), (new, told.new)] {
        fields.retain(|field| field.group != OWN_FILES);
        let at = fields.iter().position(|field| field.group == INPUTS).unwrap_or(fields.len());
        fields.splice(at..at, files);
    }
}

fn own_tree(fields: &[Field]) -> Option<TreeDigest> {
    let field = fields.iter().find(|field| field.group == OWN_FILES)?;
    match field.value {
        FieldValue::Digest(_, tree) => Some(TreeDigest(tree)),
        FieldValue::Text(_) | FieldValue::Uint(_) => None,
    }
}

/// Returns the directory of the own files, from the root directory.
fn work(fields: &[Field]) -> Option<RelPath> {
    let field = fields.iter().find(|field| field.group == "work")?;
    match &field.value {
        FieldValue::Text(path) => RelPath::parse(path.trim_start_matches('/')).ok(),
        FieldValue::Digest(..) | FieldValue::Uint(_) => None,
    }
}

/// The files that differ between two trees, as fields of actions.
struct Differences<'s> {
    store: &'s Store,
    old: Vec<Field>,
    new: Vec<Field>,
}

impl Differences<'_> {
    /// Compares the directories at `at`; none if the content of one is not known.
    fn compare(
        &mut self,
        at: &RelPath,
        old: Option<TreeDigest>,
        new: Option<TreeDigest>,
    ) -> Option<()> {
        let (old, new) = (self.read(old)?, self.read(new)?);
        let names: BTreeSet<&String> = old.entries.keys().chain(new.entries.keys()).collect();
        for name in names {
            let (before, now) = (old.entries.get(name), new.entries.get(name));
            if before == now {
                continue;
            }
            let path = at.join(&RelPath::parse(name).ok()?);
            self.old.extend(field(&path, before));
            self.new.extend(field(&path, now));
            if let (None, None) = (dir(before), dir(now)) {
                continue;
            }
            self.compare(&path, dir(before), dir(now))?;
        }
        Some(())
    }

    fn read(&self, dir: Option<TreeDigest>) -> Option<Tree> {
        let Some(dir) = dir else { return Some(Tree::default()) };
        let bytes = self.store.memo().get(&key(&dir))?;
        (digest_bytes(Domain::Tree, &bytes) == dir.0).then(|| Tree::decode(&bytes).ok())?
    }
}

fn dir(entry: Option<&Entry>) -> Option<TreeDigest> {
    match entry? {
        Entry::Dir(tree) => Some(*tree),
        Entry::File { .. } | Entry::Link(_) => None,
    }
}

/// Returns the field that the action of a step with fewer files would have for this one.
fn field(path: &RelPath, entry: Option<&Entry>) -> Option<Field> {
    let Entry::File { blob, executable } = entry? else { return None };
    let kind = if *executable { "executable" } else { "file" };
    let (group, key) = (INPUTS.to_owned(), Some(path.as_str().to_owned()));
    Some(Field { group, key, value: FieldValue::Digest(kind.to_owned(), blob.0) })
}
