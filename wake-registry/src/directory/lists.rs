//! What a directory registry says about all its packages: the lists of its namespaces, and its signed head.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Write};

use serde_json::json;
use wake_model::{BlobDigest, Name, PkgName, json as canonical_json};

use super::{Directory, children, put};
use crate::error::RegistryError;
use crate::head::{HOLDS, Head, HeadFault, ListLine, Sum};
use crate::key::{PublicKey, SecretKey};
use crate::shelf::{self, HEAD};

/// The keys that can sign a directory registry.
#[derive(Clone, Debug, Default)]
pub struct HeadKeys {
    /// The keys its readers trust, if known.
    pub believed: Vec<PublicKey>,
    /// The keys of the person who writes, in order of preference.
    pub own: Vec<SecretKey>,
}

/// Signs what is written.
#[derive(Debug)]
pub(super) struct HeadSigner {
    key: SecretKey,
    before: Option<Head>,
}

impl Directory {
    /// Signs everything that is written from now on, if the registry is signed or its readers require it. It is an
    /// error if the key is missing.
    pub fn sign_with(&mut self, keys: &HeadKeys) -> Result<(), RegistryError> {
        let before = self.read_head()?;
        let no_key = |keys: String| RegistryError::NoHeadKey { registry: self.name.clone(), keys };
        let mut own = keys.own.iter();
        let key = match (&before, keys.believed.is_empty()) {
            (None, true) => return Ok(()),
            (_, false) => {
                let ids: Vec<String> = keys.believed.iter().map(PublicKey::id).collect();
                let is_one = |key: &&SecretKey| keys.believed.contains(&key.public());
                own.find(is_one).ok_or_else(|| no_key(ids.join(", ")))?
            }
            (Some((_, envelope)), true) => {
                let ids: Vec<&str> = envelope.claimed().collect();
                let is_one = |key: &&SecretKey| envelope.signer(&[key.public()]).is_some();
                own.find(is_one).ok_or_else(|| no_key(ids.join(", ")))?
            }
        };
        let before = before.map(|(head, _)| head);
        self.signer = Some(Box::new(HeadSigner { key: key.clone(), before }));
        Ok(())
    }

    /// Signs the current state of the registry for `holds` seconds, which makes it a signed registry. Returns the new
    /// head.
    pub fn sign(&mut self, key: &SecretKey, now: u64, holds: u64) -> Result<Head, RegistryError> {
        let before = self.read_head()?.map(|(head, _)| head);
        self.signer = Some(Box::new(HeadSigner { key: key.clone(), before: before.clone() }));
        let lists = self.fixed_lists(&self.namespaces()?)?;
        let head = Head::after(before.as_ref(), lists, now, holds);
        self.put_head(&head, key)?;
        Ok(head)
    }

    /// Writes the current lists of namespaces, and the head that names them.
    pub(super) fn put_lists(
        &self,
        namespaces: &BTreeSet<Option<Name>>,
        now: u64,
    ) -> Result<(), RegistryError> {
        if let Some(HeadSigner { key, before }) = self.signer.as_deref() {
            // If nothing was signed yet, everything is.
            let lists = match before {
                Some(before) => {
                    let mut lists = before.lists.clone();
                    lists.extend(self.fixed_lists(namespaces)?);
                    lists
                }
                None => self.fixed_lists(&self.namespaces()?)?,
            };
            // Re-signs once half of its lifetime is over.
            let holds =
                before.as_ref().map_or(HOLDS, |head| head.expires.saturating_sub(head.at).max(1));
            let is_new =
                |head: &Head| head.lists == lists && now < head.at.saturating_add(holds / 2);
            if !before.as_ref().is_some_and(is_new) {
                self.put_head(&Head::after(before.as_ref(), lists, now, holds), key)?;
            }
        }
        for namespace in namespaces {
            let text = self.list(namespace.as_ref())?;
            self.put_once(&shelf::list(namespace.as_ref()), &text)?;
        }
        Ok(())
    }

    /// Writes immutable copies of lists for the head to name.
    fn fixed_lists(
        &self,
        namespaces: &BTreeSet<Option<Name>>,
    ) -> Result<BTreeMap<String, Sum>, RegistryError> {
        let mut lists = BTreeMap::new();
        for namespace in namespaces {
            self.check_grown(namespace.as_ref())?;
            let text = self.list(namespace.as_ref())?;
            let hash = BlobDigest::of(text.as_bytes());
            self.put_once(&shelf::fixed_list(namespace.as_ref(), &hash), &text)?;
            let sum = Sum { bytes: text.len() as u64, hash };
            lists.insert(shelf::namespace(namespace.as_ref()).to_owned(), sum);
        }
        Ok(lists)
    }

    /// Checks that the logs of a namespace start with what was signed last, since whoever can write here need not
    /// have the key.
    fn check_grown(&self, of: Option<&Name>) -> Result<(), RegistryError> {
        let before = self.signer.as_ref().and_then(|signer| signer.before.as_ref());
        let Some(sum) = before.and_then(|head| head.lists.get(shelf::namespace(of))) else {
            return Ok(());
        };
        let path = shelf::fixed_list(of, &sum.hash);
        // An unreadable list proves nothing.
        let Ok(text) = fs::read_to_string(self.root.join(path)) else { return Ok(()) };
        for line in text.lines().filter_map(|line| serde_json::from_str::<ListLine>(line).ok()) {
            let pkg = PkgName { namespace: of.cloned(), name: line.name };
            let (bytes, _) = self.read(&pkg)?;
            if !line.log.is_beginning_of(&bytes) {
                let (registry, path) = (self.name.clone(), shelf::log(&pkg));
                let problem = "it has been truncated or rewritten since".to_owned();
                return Err(RegistryError::Unlisted { registry, path, problem });
            }
        }
        Ok(())
    }

    fn put_head(&self, head: &Head, key: &SecretKey) -> Result<(), RegistryError> {
        let text = head.sign(key);
        put(&self.root, HEAD, |file| file.write_all(text.as_bytes()))?;
        self.drop_lists(head)
    }

    /// Removes lists that are named neither by this head nor by the previous one, which readers may still be using.
    fn drop_lists(&self, head: &Head) -> Result<(), RegistryError> {
        let before = self.signer.as_ref().and_then(|signer| signer.before.as_ref());
        let named = before.into_iter().chain([head]).flat_map(|head| &head.lists);
        let named: BTreeSet<String> =
            named.map(|(of, sum)| format!("{of}.{}.jsonl", sum.hash)).collect();
        let index = self.root.join("index");
        for file in children(&index)? {
            let is_fixed = file.matches('.').count() == 2 && file.ends_with(".jsonl");
            if is_fixed && !named.contains(&file) {
                // The next writer removes it.
                let _ = fs::remove_file(index.join(file));
            }
        }
        Ok(())
    }

    /// The list of a namespace.
    fn list(&self, of: Option<&Name>) -> Result<String, RegistryError> {
        let mut text = String::new();
        for pkg in self.names_of(of)? {
            let (bytes, log) = self.read(&pkg)?;
            let Some(newest) = log.newest() else { continue };
            let line = json!({
                "about": newest.release.description,
                "bytes": bytes.len(),
                "hash": BlobDigest::of(&bytes),
                "name": pkg.name,
                "newest": newest.release.version,
            });
            text.push_str(&canonical_json::canonical(&line));
            text.push('\n');
        }
        Ok(text)
    }

    fn put_once(&self, path: &str, text: &str) -> Result<(), RegistryError> {
        if fs::read(self.root.join(path)).is_ok_and(|there| there == text.as_bytes()) {
            return Ok(());
        }
        put(&self.root, path, |file| file.write_all(text.as_bytes()))
    }

    fn read_head(&self) -> Result<Option<(Head, crate::envelope::Envelope)>, RegistryError> {
        let place = self.root.join(HEAD);
        let text = match fs::read_to_string(&place) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RegistryError::Io { path: place, source }),
        };
        let head = Head::unproven(&text).ok_or_else(|| RegistryError::Head {
            registry: self.name.clone(),
            fault: HeadFault::Form,
            keys: String::new(),
        })?;
        Ok(Some(head))
    }

    /// All namespaces that have packages here.
    fn namespaces(&self) -> Result<BTreeSet<Option<Name>>, RegistryError> {
        let names = self.names()?;
        Ok(names.into_iter().map(|pkg| pkg.namespace).collect())
    }
}
