//! What a running evaluation may ask about other packages and modules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Gives the instances of dependencies, as seen from outside, as JSON text.
///
/// Called on the thread that waits for the evaluation; several evaluations may ask at once.
pub trait Answers: Sync {
    /// Answers of equal epochs agree, so that a worker may keep them; none: it must ask again each time.
    ///
    /// What is not there yet may appear within an epoch.
    fn epoch(&self) -> Option<u64> {
        None
    }

    /// What is known already and likely to be asked, so that it is told beforehand where there is an epoch.
    ///
    /// Each must be what the question would be answered with.
    fn likely(&self) -> Vec<(Topic, Arc<str>)> {
        Vec::new()
    }

    /// The instance of the package `key` (`namespace@name@version`); none if there is no such package.
    fn pkg(&self, key: &str) -> Option<Arc<str>>;

    /// The instance `{"id", "inputs", "outputs"}` of the module that `id` (a module id object) names.
    fn module(&self, id: &Value) -> Answer;
}

impl<A: Answers + ?Sized> Answers for &A {
    fn epoch(&self) -> Option<u64> {
        (**self).epoch()
    }

    fn likely(&self) -> Vec<(Topic, Arc<str>)> {
        (**self).likely()
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        (**self).pkg(key)
    }

    fn module(&self, id: &Value) -> Answer {
        (**self).module(id)
    }
}

/// What an answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topic {
    /// The package of this key.
    Pkg(Arc<str>),
    /// The module whose id, as canonical JSON, this is.
    Module(Arc<str>),
}

/// What is known about a module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// It has been instantiated: its JSON text.
    Ready(Arc<str>),
    /// It will be, but has not been yet.
    Pending,
    /// There is no such module.
    Unknown,
}

/// Knows no package and no module.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAnswers;

impl Answers for NoAnswers {
    fn pkg(&self, _key: &str) -> Option<Arc<str>> {
        None
    }

    fn module(&self, _id: &Value) -> Answer {
        Answer::Unknown
    }
}
