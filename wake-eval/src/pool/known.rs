//! The pool's record of what a worker has been told.

use std::collections::HashSet;
use std::sync::Arc;

use crate::wire::request::KEPT;
use crate::{Answers, Topic};

/// Longer texts are sent only on request.
const LONG: usize = 16 << 10;

/// What a worker knows about other packages and modules.
#[derive(Debug, Default)]
pub(super) struct KnownTopics {
    epoch: Option<u64>,
    topics: HashSet<Topic>,
    bytes: usize,
}

impl KnownTopics {
    /// Starts a request: forgets what the worker forgets, and returns what to send with the request.
    pub(super) fn begin(&mut self, answers: &dyn Answers) -> Vec<(Topic, Arc<str>)> {
        let epoch = answers.epoch();
        if epoch.is_none() || epoch != self.epoch || self.bytes > KEPT {
            self.topics.clear();
            self.bytes = 0;
        }
        self.epoch = epoch;
        if epoch.is_none() {
            return Vec::new();
        }
        let mut told = answers.likely();
        told.retain(|(topic, text)| text.len() <= LONG && !self.topics.contains(topic));
        for (topic, text) in &told {
            self.note(topic.clone(), text);
        }
        told
    }

    /// Records that the worker was told something.
    pub(super) fn note(&mut self, topic: Topic, text: &str) {
        self.bytes += text.len();
        self.topics.insert(topic);
    }
}
