//! The record of a command that ran, from the events of its run.

use std::collections::{BTreeMap, HashMap};

use wake_formula::FormulaRecord;
use wake_model::BlobDigest;
use wake_steps::event::{ActionFinished, Event, Execution};

use crate::command::log::past::PastRun;

/// One run of the command of a module or a formula.
pub(super) struct Record {
    /// The event of its end.
    pub(super) finished: ActionFinished,
    /// The execution data of that event.
    pub(super) execution: Execution,
    /// The formula id; `None` for a module.
    pub(super) formula: Option<String>,
    /// The build it was part of.
    run: String,
    /// The sandbox level of the build.
    sandbox: String,
    /// The machine, if the build records it.
    host: Option<String>,
}

impl Record {
    /// Returns the records of the commands that ran in `past`, in order of completion.
    pub(super) fn all_in(past: &PastRun) -> Vec<Record> {
        let start = past.start();
        let identity = |event| match event {
            &Event::Announced { id, identity: Some(ref identity), .. } => Some((id, identity)),
            _ => None,
        };
        let formulas: HashMap<usize, &String> = past.events.iter().filter_map(identity).collect();
        let of = |finished: &ActionFinished| {
            Some(Record {
                finished: finished.clone(),
                execution: finished.execution.clone()?,
                formula: formulas.get(&finished.id).copied().cloned(),
                run: past.run.clone(),
                sandbox: start.sandbox.to_owned(),
                host: start.host.map(str::to_owned),
            })
        };
        past.ended().filter_map(of).collect()
    }

    /// Returns its exit code as shells report it.
    pub(super) fn exit_code(&self) -> i32 {
        self.finished.exit.unwrap_or(-1)
    }

    /// Returns the record; for modules, without the ids that have to be computed.
    pub(super) fn record(&self) -> FormulaRecord {
        FormulaRecord {
            guid: self.execution.guid.clone(),
            time: i64::try_from(self.execution.began_ms / 1000).unwrap_or(i64::MAX),
            formula_id: self.formula.clone().unwrap_or_default(),
            exit_code: self.exit_code(),
            results: self.execution.wares.clone(),
            hostname: None,
            metadata: self.remarks(),
        }
    }

    /// Returns the remarks that wake adds to the standard fields.
    fn remarks(&self) -> BTreeMap<String, String> {
        let Record { finished, execution, formula, run, sandbox, host } = self;
        // Logs of earlier releases record only the host.
        let hermetic = execution.hermetic && execution.host.is_none();
        let hermetic = if hermetic { "yes" } else { "no" };
        let sys_us = finished.cpu_us.saturating_sub(execution.user_us);
        let of_module = |text: &String| formula.is_none().then(|| text.clone());
        // For a formula without output, the digest of empty content.
        let log = |digest: &Option<String>| match digest {
            None if formula.is_some() => Some(BlobDigest::of(b"").to_string()),
            digest => digest.clone(),
        };
        let remarks = [
            ("wake.module", of_module(&finished.label)),
            ("wake.run", of_module(run)),
            ("wake.key", finished.key.as_ref().and_then(of_module)),
            ("wake.outputs", finished.outputs.as_ref().and_then(of_module)),
            ("wake.wall_us", Some(execution.wall_us.to_string())),
            ("wake.user_us", Some(execution.user_us.to_string())),
            ("wake.sys_us", Some(sys_us.to_string())),
            ("wake.peak_bytes", Some(finished.rss_max.to_string())),
            ("wake.sandbox", Some(sandbox.clone())),
            ("wake.hermetic", Some(hermetic.to_owned())),
            ("wake.host", host.clone().or_else(|| execution.host.clone())),
            ("wake.stdout", log(&finished.stdout)),
            ("wake.stderr", log(&finished.stderr)),
            ("wake.faults", Some(finished.faults.join("\n")).filter(|faults| !faults.is_empty())),
        ];
        remarks.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
