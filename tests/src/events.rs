//! A build, from its JSON events.

use std::collections::BTreeMap;

use serde_json::Value;

/// The events of one build.
pub struct Build {
    /// All events, in order.
    pub events: Vec<Value>,
}

impl Build {
    pub(crate) fn parse(stdout: &str) -> Result<Build, String> {
        let event = |line: &str| {
            serde_json::from_str(line)
                .map_err(|error| format!("{error} in the event line `{line}`"))
        };
        let events: Vec<Value> = stdout.lines().map(event).collect::<Result<_, _>>()?;
        let build = Build { events };
        if build.of_kind("started").count() != 1 || build.of_kind("finished").count() != 1 {
            return Err(
                "the stream does not contain exactly one `started` and one `finished`".to_owned()
            );
        }
        Ok(build)
    }

    /// Returns the labels of modules that ran and succeeded, sorted; a label occurs once for each config.
    pub fn ran(&self) -> Vec<&str> {
        self.with_status("ran")
    }

    /// Returns the labels of modules that were cached, sorted.
    pub fn hit(&self) -> Vec<&str> {
        self.with_status("hit")
    }

    /// Returns the labels of modules that failed, sorted.
    pub fn failed(&self) -> Vec<&str> {
        self.with_status("failed")
    }

    /// Returns the labels of modules that were skipped because a need failed, sorted.
    pub fn skipped(&self) -> Vec<&str> {
        self.with_status("skipped")
    }

    /// Returns a count of the last event: `total`, `hit`, `ran`, `failed`, `skipped`, `aborted`.
    pub fn count(&self, name: &str) -> u64 {
        self.of_kind("finished").next().unwrap()["counts"][name].as_u64().unwrap()
    }

    /// Returns the key and the output digest of every module, by label, then ordered by key.
    pub fn digests(&self) -> BTreeMap<&str, Vec<(&str, &str)>> {
        let mut digests: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for event in self.of_kind("action.finished") {
            let text = |name: &str| event[name].as_str().unwrap_or("");
            digests.entry(text("label")).or_default().push((text("key"), text("outputs")));
        }
        digests.values_mut().for_each(|found| found.sort_unstable());
        digests
    }

    /// Returns the output digests, by label.
    pub fn outputs(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut outputs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (label, found) in self.digests() {
            let mut trees: Vec<&str> = found.into_iter().map(|(_, tree)| tree).collect();
            trees.sort_unstable();
            outputs.insert(label, trees);
        }
        outputs
    }

    /// Returns the events of one kind, in order.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["kind"] == kind)
    }

    fn with_status(&self, status: &str) -> Vec<&str> {
        let mut labels: Vec<&str> = self
            .of_kind("action.finished")
            .filter(|event| event["status"] == status)
            .map(|event| event["label"].as_str().unwrap())
            .collect();
        labels.sort_unstable();
        labels
    }
}
