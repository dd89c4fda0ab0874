//! What functions of modules are told about other modules.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use petgraph::graph::NodeIndex;
use serde_json::Value;
use wake_eval::{Answer, Answers};

use super::Wanted;
use crate::evaluate::Evaluator;
use crate::instance::Instances;

/// Answers evaluations of modules.
pub(super) struct PlanAnswers<'a, M: Modules> {
    instances: &'a Instances,
    modules: &'a M,
    epoch: u64,
}

impl Evaluator<'_> {
    /// What functions are told while `modules` says which of them are complete.
    pub(super) fn answers<'a, M: Modules>(
        &self,
        instances: &'a Instances,
        modules: &'a M,
    ) -> PlanAnswers<'a, M> {
        PlanAnswers { instances, modules, epoch: self.epoch }
    }
}

/// Which modules are complete, and what others see of them.
pub(super) trait Modules: Sync {
    fn module(&self, id: &Value) -> Answer;
}

/// No module is complete.
pub(super) struct NothingYet;

impl Modules for NothingYet {
    fn module(&self, id: &Value) -> Answer {
        if Wanted::of_id(id).is_some() { Answer::Pending } else { Answer::Unknown }
    }
}

/// What is complete while others are still being found.
pub(super) struct SoFar<'a> {
    pub(super) seen: &'a RwLock<HashMap<String, Arc<str>>>,
}

impl Modules for SoFar<'_> {
    fn module(&self, id: &Value) -> Answer {
        let Some(wanted) = Wanted::of_id(id) else { return Answer::Unknown };
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.get(&wanted.identity()).cloned().map_or(Answer::Pending, Answer::Ready)
    }
}

impl<M: Modules> Answers for PlanAnswers<'_, M> {
    fn epoch(&self) -> Option<u64> {
        Some(self.epoch)
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        self.instances.get(key).map(|instance| instance.outside.clone())
    }

    fn module(&self, id: &Value) -> Answer {
        self.modules.module(id)
    }
}

/// Instances of modules as they come about, for evaluations of those that need them.
pub(super) struct Ready<'a> {
    pub(super) index: &'a HashMap<String, NodeIndex>,
    pub(super) texts: &'a [OnceLock<Arc<str>>],
}

impl Modules for Ready<'_> {
    fn module(&self, id: &Value) -> Answer {
        let Some(node) = Wanted::of_id(id).and_then(|wanted| self.index.get(&wanted.identity()))
        else {
            return Answer::Unknown;
        };
        match self.texts[node.index()].get() {
            Some(text) => Answer::Ready(text.clone()),
            None => Answer::Pending,
        }
    }
}
