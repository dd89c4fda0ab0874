//! Answers to functions of modules that ask about other modules.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use petgraph::graph::NodeIndex;
use serde_json::Value;
use wake_eval::{Answer, Answers, Topic, Way};
use wake_model::json::{push_object, push_text};
use wake_model::{BlobDigest, PkgKey};

use super::ModuleRequest;
use crate::evaluate::Evaluator;
use crate::instance::{Instances, PkgInstance};

/// How many modules of each package are included in answers before anyone asks.
const MODULES: usize = 2;

/// Answers evaluations of modules.
pub(super) struct PlanAnswers<'a, M: Modules> {
    instances: &'a Instances,
    modules: &'a M,
    asking: &'a PkgInstance,
    evaluator: &'a Evaluator<'a>,
}

impl Evaluator<'_> {
    /// Returns the answers for functions of the package `asking`; `modules` knows the complete modules.
    pub(super) fn answers<'a, M: Modules>(
        &'a self,
        instances: &'a Instances,
        modules: &'a M,
        asking: &'a PkgInstance,
    ) -> PlanAnswers<'a, M> {
        PlanAnswers { instances, modules, asking, evaluator: self }
    }
}

/// The complete modules, as others see them.
pub(super) trait Modules: Sync {
    fn module(&self, id: &Value) -> Answer;

    /// Adds the views of modules of a package that are complete in their default configuration.
    fn plain(&self, _pkg: &PkgKey, _likely: &mut Vec<(Topic, Arc<str>)>) {}
}

/// No complete modules.
pub(super) struct NothingYet;

impl Modules for NothingYet {
    fn module(&self, id: &Value) -> Answer {
        if ModuleRequest::of_id(id).is_some() { Answer::Pending } else { Answer::Unknown }
    }
}

/// The views of complete modules.
#[derive(Default)]
pub(super) struct ModuleViews {
    /// By identity.
    texts: HashMap<Arc<str>, Arc<str>>,
    /// Views included in answers before anyone asks, of modules in their default configuration, by package.
    plain: HashMap<PkgKey, Vec<(Topic, Arc<str>)>>,
}

impl ModuleViews {
    pub(super) fn insert(&mut self, identity: &Arc<str>, wanted: &ModuleRequest, text: &Arc<str>) {
        self.texts.insert(identity.clone(), text.clone());
        if wanted.config.is_some() {
            return;
        }
        // Usually there is one.
        let plain = self.plain.entry(wanted.pkg.clone()).or_insert_with(|| Vec::with_capacity(1));
        if plain.len() < MODULES {
            plain.push((Topic::Module(plain_id(wanted).into()), text.clone()));
        }
    }
}

/// Returns the canonical id of a module in its default configuration.
fn plain_id(wanted: &ModuleRequest) -> String {
    let fields = [("module", &*wanted.module), ("pkg", wanted.pkg.as_str()), ("type", "module")];
    let mut id = String::with_capacity(64 + wanted.module.len() + wanted.pkg.as_str().len());
    push_object(fields, &mut id, |_, text, id| push_text(text, id));
    id
}

/// The modules complete so far, while others are still being found.
impl Modules for RwLock<ModuleViews> {
    fn module(&self, id: &Value) -> Answer {
        let Some(wanted) = ModuleRequest::of_id(id) else { return Answer::Unknown };
        let seen = self.read().unwrap_or_else(PoisonError::into_inner);
        seen.texts.get(&*wanted.identity()).cloned().map_or(Answer::Pending, Answer::Ready)
    }

    fn plain(&self, pkg: &PkgKey, likely: &mut Vec<(Topic, Arc<str>)>) {
        let seen = self.read().unwrap_or_else(PoisonError::into_inner);
        likely.extend(seen.plain.get(pkg).into_iter().flatten().cloned());
    }
}

impl<M: Modules> Answers for PlanAnswers<'_, M> {
    fn epoch(&self) -> Option<u64> {
        Some(self.evaluator.epoch)
    }

    fn likely(&self) -> Vec<(Topic, Arc<str>)> {
        let mut likely = Vec::with_capacity(2 * self.asking.pkgs.len());
        for told in &self.asking.pkgs {
            likely.push((told.topic.clone(), told.text.clone()));
            self.modules.plain(&told.key, &mut likely);
        }
        likely
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        self.instances.get(key).map(|pkg| pkg.outside())
    }

    fn module(&self, id: &Value) -> Answer {
        self.modules.module(id)
    }

    fn library(&self, key: &str) -> Option<Arc<str>> {
        self.asking.ways(self.instances).library(key, self.evaluator)
    }

    fn option(&self, name: &str) -> Option<Arc<str>> {
        self.evaluator.option(name)
    }

    fn way(&self, way: &Way) -> Option<BlobDigest> {
        self.asking.ways(self.instances).digest(way, self.evaluator)
    }

    fn named(&self, way: &Way) -> Option<BlobDigest> {
        self.asking.ways(self.instances).named(way)
    }

    fn called(&self, way: &Way) -> Option<String> {
        self.asking.ways(self.instances).label(way)
    }
}

/// Module instances as they are completed, for evaluations that need them.
pub(super) struct Ready<'a> {
    pub(super) index: &'a HashMap<Arc<str>, NodeIndex>,
    pub(super) texts: &'a [OnceLock<Arc<str>>],
}

impl Modules for Ready<'_> {
    fn module(&self, id: &Value) -> Answer {
        let Some(node) =
            ModuleRequest::of_id(id).and_then(|wanted| self.index.get(&*wanted.identity()))
        else {
            return Answer::Unknown;
        };
        match self.texts[node.index()].get() {
            Some(text) => Answer::Ready(text.clone()),
            None => Answer::Pending,
        }
    }
}
