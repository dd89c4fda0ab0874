//! What the parent has told about other packages and modules, kept from one evaluation to the next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use jrsonnet_evaluator::Result;
use jrsonnet_evaluator::rustc_hash::FxHashMap;
use serde_json::Value;
use wake_model::BlobDigest;

use super::Ask;
use super::env::ModuleId;
use super::note::Note;
use super::view::Instance;
use crate::Answer;

/// Bytes of text that are kept; beyond it everything is forgotten and asked for again.
const KEPT: usize = 4 << 20;

/// What is known about others, parsed once.
///
/// All of it is of one epoch, within which the parent gives the same answers; what was pending or
/// absent is asked for again.
#[derive(Default)]
pub(crate) struct Told {
    epoch: Cell<Option<u64>>,
    bytes: Cell<usize>,
    pkgs: RefCell<FxHashMap<String, Known<Instance>>>,
    modules: RefCell<FxHashMap<String, Known<Value>>>,
}

/// Something told, with the digest of its text.
pub(crate) struct Known<T> {
    /// What it says.
    pub(crate) value: Rc<T>,
    /// Of the text.
    pub(crate) digest: BlobDigest,
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Known { value: self.value.clone(), digest: self.digest }
    }
}

/// What is known about a module.
pub(crate) enum KnownModule {
    Ready(Known<Value>),
    Pending,
    Unknown,
}

impl Told {
    /// Forgets what does not belong to `epoch`; without one, everything.
    pub(crate) fn begin(&self, epoch: Option<u64>) {
        if epoch.is_none() || epoch != self.epoch.get() || self.bytes.get() > KEPT {
            self.pkgs.take();
            self.modules.take();
            self.bytes.set(0);
        }
        self.epoch.set(epoch);
    }

    /// The package `key`; none if there is no such package. What is asked for along with it, `others`,
    /// is likely to be asked for next.
    pub(crate) fn pkg<'a>(
        &self,
        ask: &dyn Ask,
        key: &'a str,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Known<Instance>>> {
        if let Some(known) = self.pkgs.borrow().get(key) {
            return Ok(Some(known.clone()));
        }
        let mut wanted = vec![key];
        wanted.extend(
            others.filter(|other| *other != key && !self.pkgs.borrow().contains_key(*other)),
        );
        for (key, text) in wanted.iter().zip(ask.pkgs(&wanted)) {
            let Some(text) = text else { continue };
            let instance: Instance = serde_json::from_str(&text).map_err(|error| {
                Note::new(format!("the instance of `{key}` is malformed: {error}"))
            })?;
            let known = self.keep(instance.sorted(), &text);
            self.pkgs.borrow_mut().insert((*key).to_owned(), known);
        }
        Ok(self.pkgs.borrow().get(key).cloned())
    }

    /// The module whose id is `id`, asked for along with `others`.
    pub(crate) fn module(
        &self,
        ask: &dyn Ask,
        id: &str,
        others: &BTreeMap<String, ModuleId>,
    ) -> Result<KnownModule> {
        if let Some(known) = self.modules.borrow().get(id) {
            return Ok(KnownModule::Ready(known.clone()));
        }
        let mut wanted = vec![id];
        wanted.extend(
            others
                .values()
                .map(|other| &*other.text)
                .filter(|other| *other != id && !self.modules.borrow().contains_key(*other)),
        );
        let mut found = KnownModule::Unknown;
        for (at, (id, answer)) in wanted.iter().zip(ask.modules(&wanted)).enumerate() {
            let known = match answer {
                Answer::Ready(text) => {
                    let value: Value = serde_json::from_str(&text).map_err(|error| {
                        Note::new(format!("the instance of a module is malformed: {error}"))
                    })?;
                    let known = self.keep(value, &text);
                    self.modules.borrow_mut().insert((*id).to_owned(), known.clone());
                    KnownModule::Ready(known)
                }
                Answer::Pending => KnownModule::Pending,
                Answer::Unknown => KnownModule::Unknown,
            };
            if at == 0 {
                found = known;
            }
        }
        Ok(found)
    }

    fn keep<T>(&self, value: T, text: &str) -> Known<T> {
        self.bytes.set(self.bytes.get() + text.len());
        Known { value: Rc::new(value), digest: BlobDigest::of(text.as_bytes()) }
    }
}
