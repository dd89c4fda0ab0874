//! The named codespecs of a store, in numbered, immutable versions.

use std::path::PathBuf;

use wake_codespec::Codespec;
use wake_codespec::flags::Flags;
use wake_codespec::name::{CodespecName, CodespecReference};
use wake_codespec::named::{NamedCodespec, Source};
use wake_codespec::show::Shown;
use wake_model::ValueDigest;
use wake_store::{Numbered, Store, StoreError};

/// The codespecs of a store.
#[derive(Debug)]
pub struct Codespecs<'s> {
    store: &'s Store,
}

/// One version of a codespec.
#[derive(Clone, Debug)]
pub struct StoredCodespec {
    /// Its name.
    pub name: CodespecName,
    /// Its version, from 1.
    pub version: u32,
    /// When it was created, in RFC 3339 form.
    pub created_at: Option<String>,
    /// Its content id.
    pub id: ValueDigest,
    /// The codespec.
    pub codespec: Codespec,
}

/// A part of the codespecs of a store.
#[derive(Clone, Debug)]
pub struct CodespecPage {
    /// The latest version of each codespec.
    pub codespecs: Vec<StoredCodespec>,
    /// Whether there are more.
    pub has_more: bool,
}

/// Why a codespec could not be stored or found.
#[derive(Debug, thiserror::Error)]
pub enum CodespecsError {
    /// There is no codespec of that name.
    #[error("the codespec `{0}` was not found")]
    NoName(CodespecName),
    /// There is no such version.
    #[error(
        "the version `{version}` of codespec `{name}` was not found: the latest version is `{latest}`"
    )]
    NoVersion {
        /// The codespec.
        name: CodespecName,
        /// The version.
        version: u32,
        /// The latest existing version.
        latest: u32,
    },
    /// The stored file is damaged.
    #[error("`{path}` is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'s> Codespecs<'s> {
    /// The codespecs of `store`.
    pub fn new(store: &'s Store) -> Self {
        Codespecs { store }
    }

    /// Stores a codespec and returns its version: the latest one if that is equal, else a new one.
    ///
    /// Concurrent calls with equal codespecs return the same version.
    pub fn create(&self, named: &NamedCodespec, now: &str) -> Result<u32, CodespecsError> {
        let NamedCodespec { name, codespec, .. } = named;
        let id = codespec.id();
        let text = id.to_string();
        let mut damaged = None;
        let version = self.store.codespecs().add(name.as_str(), |latest, next| {
            if let Some(latest) = latest {
                match self.read(name, latest) {
                    Ok(latest) if latest.id == id => return None,
                    Ok(_) => {}
                    // The next version is known, but not whether the codespec differs from a damaged one.
                    Err(error) => {
                        damaged = Some(error);
                        return None;
                    }
                }
            }
            let (name, version) = (Some(name), Some(next));
            let shown = Shown { codespec, name, version, created_at: Some(now), id: Some(&text) };
            serde_json::to_vec_pretty(&shown).ok()
        })?;
        damaged.map_or(Ok(version), Err)
    }

    /// Returns the codespec that a reference names.
    pub fn get(&self, reference: &CodespecReference) -> Result<StoredCodespec, CodespecsError> {
        let CodespecReference { name, version } = reference;
        let series = self.store.codespecs();
        let latest = || series.latest(name.as_str());
        let found = match version {
            None => latest()?,
            Some(version) => match series.get(name.as_str(), *version)? {
                Some(found) => Some(found),
                None => match latest()? {
                    None => None,
                    Some(Numbered { number: latest, .. }) => {
                        let (name, version) = (name.clone(), *version);
                        return Err(CodespecsError::NoVersion { name, version, latest });
                    }
                },
            },
        };
        let found = found.ok_or_else(|| CodespecsError::NoName(name.clone()))?;
        self.read(name, &found)
    }

    /// Returns the latest version of each codespec whose name begins with `prefix`, sorted by name, at most `limit`.
    pub fn list(&self, prefix: &str, limit: usize) -> Result<CodespecPage, CodespecsError> {
        let names = self.store.codespecs().names()?;
        let mut names = names.iter().filter(|name| name.starts_with(prefix));
        let mut codespecs = Vec::new();
        for name in names.by_ref().take(limit) {
            let Ok(name) = name.parse::<CodespecName>() else { continue };
            match self.get(&CodespecReference { name, version: None }) {
                Ok(codespec) => codespecs.push(codespec),
                // The first version is just being stored.
                Err(CodespecsError::NoName(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(CodespecPage { codespecs, has_more: names.next().is_some() })
    }

    fn read(
        &self,
        name: &CodespecName,
        found: &Numbered,
    ) -> Result<StoredCodespec, CodespecsError> {
        let path = self.store.codespecs().place(name.as_str(), found.number);
        let damaged = |problem: String| CodespecsError::Damaged { path: path.clone(), problem };
        let file = path.to_string_lossy();
        let source = Source::Written { file: &file, bytes: &found.bytes };
        let read = NamedCodespec::read(Some(source), &Flags::default());
        let read = read.map_err(|error| damaged(error.to_string()))?;
        let text = serde_json::from_slice::<serde_json::Value>(&found.bytes).ok();
        let said = text.as_ref().and_then(|text| text.get("contentId")?.as_str());
        let id = read.codespec.id();
        if said != Some(id.to_string().as_str()) || read.name != *name {
            return Err(damaged("its content id does not match".to_owned()));
        }
        let NamedCodespec { codespec, created_at, .. } = read;
        Ok(StoredCodespec { name: name.clone(), version: found.number, created_at, id, codespec })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn named(text: &str) -> NamedCodespec {
        let source = Source::Written { file: "c.yml", bytes: text.as_bytes() };
        NamedCodespec::read(Some(source), &Flags::default()).unwrap()
    }

    #[test]
    fn only_the_latest_version_is_compared() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let codespecs = Codespecs::new(&store);
        let create = |args: &str| {
            let text = format!("name: n\nimage: i\nargs: [{args}]\n");
            codespecs.create(&named(&text), "2020-01-01T00:00:00Z").unwrap()
        };
        assert_eq!([create("a"), create("b"), create("b"), create("a")], [1, 2, 2, 3]);
        let get = |text: &str| codespecs.get(&text.parse().unwrap());
        assert_eq!(get("n").unwrap().codespec.args, ["a"]);
        assert_eq!(get("n/versions/2").unwrap().codespec.args, ["b"]);
        assert_eq!(get("n/versions/1").unwrap().id, get("n").unwrap().id);
        assert_eq!(get("m").unwrap_err().to_string(), "the codespec `m` was not found");
        let told = "the version `9` of codespec `n` was not found: the latest version is `3`";
        assert_eq!(get("n/versions/9").unwrap_err().to_string(), told);
    }

    #[test]
    fn concurrent_equal_codespecs_are_one_version() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        let create = || {
            let store = Store::open(&root).unwrap();
            let socket =
                "name: n\nimage: i\nbuffers: {inputs: [a]}\nsockets: [{port: 1, inputBuffer: a}]";
            Codespecs::new(&store).create(&named(socket), "2020-01-01T00:00:00Z").unwrap()
        };
        let all: Vec<u32> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(all, [1; 8]);
    }

    #[test]
    fn a_changed_file_is_detected() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let codespecs = Codespecs::new(&store);
        codespecs.create(&named("name: n\nimage: i\n"), "2020-01-01T00:00:00Z").unwrap();
        let place = store.codespecs().place("n", 1);
        let text = std::fs::read_to_string(&place).unwrap();
        for changed in
            [text.replace("\"i\"", "\"j\""), text[..text.len() / 2].to_owned(), String::new()]
        {
            std::fs::write(&place, changed).unwrap();
            let error = codespecs.get(&"n".parse().unwrap()).unwrap_err();
            assert!(matches!(error, CodespecsError::Damaged { .. }), "{error}");
            assert!(codespecs.create(&named("name: n\nimage: k\n"), "").is_err());
        }
    }

    #[test]
    fn a_list_has_a_prefix_and_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let codespecs = Codespecs::new(&store);
        for name in ["a", "b_1", "b-2", "bx", "c"] {
            codespecs.create(&named(&format!("name: {name}\nimage: i\n")), "").unwrap();
        }
        let list = |prefix, limit| {
            let CodespecPage { codespecs, has_more } = codespecs.list(prefix, limit).unwrap();
            (
                codespecs.iter().map(|one| one.name.to_string()).collect::<Vec<_>>().join(" "),
                has_more,
            )
        };
        assert_eq!(list("", 9), ("a b-2 b_1 bx c".to_owned(), false));
        // `_` is not a wildcard.
        assert_eq!(list("b_", 9), ("b_1".to_owned(), false));
        assert_eq!(list("b", 2), ("b-2 b_1".to_owned(), true));
        assert_eq!(list("z", 2), (String::new(), false));
    }
}
