//! What a worker has been told, as its pool remembers it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::wire::request::KEPT;
use crate::{Answers, Topic};

/// Texts longer than this are told only to those who ask.
const LONG: usize = 16 << 10;

/// What a worker knows about others.
#[derive(Debug, Default)]
pub(super) struct KnownTopics {
    epoch: Option<u64>,
    topics: HashSet<Topic>,
    bytes: usize,
}

impl KnownTopics {
    /// Begins a request: forgets what the worker forgets, and gives what is to be told with it.
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

    /// Notes that it is told something.
    pub(super) fn note(&mut self, topic: Topic, text: &str) {
        self.bytes += text.len();
        self.topics.insert(topic);
    }
}
