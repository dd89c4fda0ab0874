//! The parent's answers about other packages and modules, kept from one evaluation to the next.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use jrsonnet_evaluator::Result;
use jrsonnet_evaluator::rustc_hash::FxHashMap;
use serde_json::Value;
use wake_model::BlobDigest;

use super::instance::Instance;
use super::library::OpenLibrary;
use super::{Ask, Open};
use crate::engine::note::Note;
use crate::wire::request::KEPT;
use crate::{Answer, OptionSetting, Topic};

/// Known answers, parsed once.
///
/// All are of one epoch, within which the parent's answers stay the same; what was pending or absent is requested
/// again.
#[derive(Default)]
pub(crate) struct KnownAnswers {
    epoch: Cell<Option<u64>>,
    bytes: Cell<usize>,
    pkgs: RefCell<FxHashMap<String, ParsedAnswer<Instance>>>,
    modules: RefCell<FxHashMap<String, ParsedAnswer<Value>>>,
    libraries: RefCell<FxHashMap<String, Option<Rc<OpenLibrary>>>>,
    options: RefCell<FxHashMap<String, Option<ParsedAnswer<OptionSetting>>>>,
    /// Answers that have not been needed yet.
    unread: RefCell<FxHashMap<Topic, String>>,
}

/// A parsed answer, and the digest of its text.
type ParsedAnswer<T> = (Rc<T>, BlobDigest);

/// The state of a module.
pub(crate) enum ModuleAnswer {
    Ready(Rc<Value>, BlobDigest),
    Pending,
    Unknown,
}

impl KnownAnswers {
    /// Forgets everything that does not belong to `epoch`; without one, everything.
    pub(crate) fn begin(&self, epoch: Option<u64>) {
        if epoch.is_none() || epoch != self.epoch.get() || self.bytes.get() > KEPT {
            self.pkgs.take();
            self.modules.take();
            self.libraries.take();
            self.options.take();
            self.unread.take();
            self.bytes.set(0);
        }
        self.epoch.set(epoch);
    }

    /// Stores answers that were sent in advance.
    pub(crate) fn listen(&self, told: Vec<(Topic, &str)>) {
        let mut unread = self.unread.borrow_mut();
        for (topic, text) in told {
            self.bytes.set(self.bytes.get() + text.len());
            unread.insert(topic, text.to_owned());
        }
    }

    /// Returns the package `key`; `None` if there is no such package. Also requests `others`, which are likely to be
    /// needed next.
    pub(crate) fn pkg<'a>(
        &self,
        ask: &dyn Ask,
        key: &'a str,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<Option<ParsedAnswer<Instance>>> {
        if let Some(known) = self.pkgs.borrow().get(key) {
            return Ok(Some(known.clone()));
        }
        if let Some(text) = self.unread.borrow_mut().remove(&Topic::Pkg(key.into())) {
            return self.keep_pkg(key, &text).map(Some);
        }
        let mut wanted = vec![key];
        wanted.extend(others.filter(|other| *other != key && !self.has_pkg(other)));
        let mut found = None;
        for (at, (key, text)) in wanted.iter().zip(ask.pkgs(&wanted)).enumerate() {
            let Some(text) = text else { continue };
            self.bytes.set(self.bytes.get() + text.len());
            let known = self.keep_pkg(key, &text)?;
            if at == 0 {
                found = Some(known);
            }
        }
        Ok(found)
    }

    fn has_pkg(&self, key: &str) -> bool {
        self.pkgs.borrow().contains_key(key)
            || self.unread.borrow().contains_key(&Topic::Pkg(key.into()))
    }

    fn keep_pkg(&self, key: &str, text: &str) -> Result<ParsedAnswer<Instance>> {
        let instance = Instance::parse(text)
            .map_err(|error| Note::new(format!("the instance of `{key}` is malformed: {error}")))?;
        let known = (Rc::new(instance), BlobDigest::of(text.as_bytes()));
        self.pkgs.borrow_mut().insert(key.to_owned(), known.clone());
        Ok(known)
    }

    /// Returns the module `id`; also requests `others`.
    pub(crate) fn module<'a>(
        &self,
        ask: &dyn Ask,
        id: &'a str,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<ModuleAnswer> {
        if let Some((value, digest)) = self.modules.borrow().get(id) {
            return Ok(ModuleAnswer::Ready(value.clone(), *digest));
        }
        if let Some(text) = self.unread.borrow_mut().remove(&Topic::Module(id.into())) {
            return self.keep_module(id, &text);
        }
        let mut wanted = vec![id];
        wanted.extend(others.filter(|other| *other != id && !self.has_module(other)));
        let mut found = ModuleAnswer::Unknown;
        for (at, (id, answer)) in wanted.iter().zip(ask.modules(&wanted)).enumerate() {
            let known = match answer {
                Answer::Ready(text) => {
                    self.bytes.set(self.bytes.get() + text.len());
                    self.keep_module(id, &text)?
                }
                Answer::Pending => ModuleAnswer::Pending,
                Answer::Unknown => ModuleAnswer::Unknown,
            };
            if at == 0 {
                found = known;
            }
        }
        Ok(found)
    }

    /// Returns what can be imported from the package `key`, requested once; `None` if there is no such package.
    pub(crate) fn library(
        &self,
        ask: &dyn Ask,
        open: &Open,
        key: &str,
    ) -> Result<Option<Rc<OpenLibrary>>> {
        if let Some(known) = self.libraries.borrow().get(key) {
            return Ok(known.clone());
        }
        let text = ask.library(key);
        let library = text.map(|text| {
            self.bytes.set(self.bytes.get() + text.len());
            OpenLibrary::parse(key, &text, open).map(Rc::new)
        });
        let library = library.transpose().map_err(|error| {
            Note::new(format!("what can be imported of `{key}` is malformed: {error}"))
        })?;
        self.libraries.borrow_mut().insert(key.to_owned(), library.clone());
        Ok(library)
    }

    /// Returns the setting of the option `name`, requested once; `None` if it is not set.
    pub(crate) fn option(
        &self,
        ask: &dyn Ask,
        name: &str,
    ) -> Result<Option<ParsedAnswer<OptionSetting>>> {
        if let Some(known) = self.options.borrow().get(name) {
            return Ok(known.clone());
        }
        let parsed = ask.option(name).map(|text| {
            self.bytes.set(self.bytes.get() + text.len());
            let setting = serde_json::from_str::<OptionSetting>(&text).map_err(|error| {
                Note::new(format!("the setting of the option `{name}` is malformed: {error}"))
            })?;
            Ok::<_, Note>((Rc::new(setting), BlobDigest::of(text.as_bytes())))
        });
        let setting = parsed.transpose()?;
        self.options.borrow_mut().insert(name.to_owned(), setting.clone());
        Ok(setting)
    }

    fn has_module(&self, id: &str) -> bool {
        self.modules.borrow().contains_key(id)
            || self.unread.borrow().contains_key(&Topic::Module(id.into()))
    }

    fn keep_module(&self, id: &str, text: &str) -> Result<ModuleAnswer> {
        let value: Rc<Value> = serde_json::from_str(text).map(Rc::new).map_err(|error| {
            Note::new(format!("the instance of a module is malformed: {error}"))
        })?;
        let digest = BlobDigest::of(text.as_bytes());
        self.modules.borrow_mut().insert(id.to_owned(), (value.clone(), digest));
        Ok(ModuleAnswer::Ready(value, digest))
    }
}
