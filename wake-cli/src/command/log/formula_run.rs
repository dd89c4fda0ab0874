//! A command of a formula that ran, from the events of its run.

use std::collections::BTreeMap;

use serde_json::Value;
use wake_formula::{Dialect, RunRecord};
use wake_steps::event::{ActionFinished, Event, Execution};
use wake_steps::run_log;
use wake_store::Store;

use crate::command::log::past::Past;

/// The record of a formula's command, with what it cost.
pub(super) struct FormulaRun {
    /// The record as it is printed, wake's own remarks in its metadata.
    pub(super) record: RunRecord,
    /// When the command began, in milliseconds since 1970.
    pub(super) began_ms: u64,
    /// How long it took, in milliseconds.
    pub(super) wall_ms: u64,
    /// What its document was called.
    pub(super) label: String,
}

impl FormulaRun {
    /// Every command of a formula that is still logged with the store, the oldest first.
    pub(super) fn all(store: &Store) -> Vec<FormulaRun> {
        let mut runs = Vec::new();
        for (run, path) in run_log::list(&store.outside_dir()) {
            // Another process may just have dropped it as the oldest.
            if let Ok(past) = Past::read(run, &path) {
                runs.extend(FormulaRun::all_in(&past));
            }
        }
        runs.sort_by(|a, b| a.record.guid.cmp(&b.record.guid));
        runs.sort_by_key(|run| run.began_ms);
        runs
    }

    /// The record as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.record.to_json(Dialect::Repeatr)).unwrap_or_default()
    }

    fn all_in(past: &Past) -> Vec<FormulaRun> {
        let mut ids: BTreeMap<usize, &str> = BTreeMap::new();
        let (mut host, mut level) = (None, "");
        let mut runs = Vec::new();
        for event in &past.events {
            match event {
                Event::Started { host: machine, sandbox, .. } => {
                    host.clone_from(machine);
                    level = sandbox;
                }
                Event::Announced { id, identity: Some(identity), .. } => {
                    ids.insert(*id, identity);
                }
                Event::ActionFinished(finished) => {
                    let formula = ids.get(&finished.id).copied().unwrap_or_default();
                    let execution = finished.execution.as_ref();
                    let seen = (level, host.as_deref());
                    runs.extend(execution.map(|run| of(finished, run, formula, seen)));
                }
                _ => {}
            }
        }
        runs
    }
}

fn of(
    finished: &ActionFinished,
    execution: &Execution,
    formula: &str,
    (sandbox, host): (&str, Option<&str>),
) -> FormulaRun {
    let sys_us = finished.cpu_us.saturating_sub(execution.user_us);
    // The digest of nothing, where nothing was written.
    let log = |digest: &Option<String>| {
        digest.clone().unwrap_or_else(|| wake_model::BlobDigest::of(b"").to_string())
    };
    let remarks = [
        ("wake.wall_us", Some(execution.wall_us.to_string())),
        ("wake.user_us", Some(execution.user_us.to_string())),
        ("wake.sys_us", Some(sys_us.to_string())),
        ("wake.peak_bytes", Some(finished.rss_max.to_string())),
        ("wake.sandbox", Some(sandbox.to_owned())),
        ("wake.hermetic", Some(if execution.hermetic { "yes" } else { "no" }.to_owned())),
        ("wake.host", host.map(str::to_owned)),
        ("wake.stdout", Some(log(&finished.stdout))),
        ("wake.stderr", Some(log(&finished.stderr))),
        ("wake.faults", Some(finished.faults.join("\n")).filter(|faults| !faults.is_empty())),
    ];
    let remarks = remarks.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let record = RunRecord {
        guid: execution.guid.clone(),
        time: i64::try_from(execution.began_ms / 1000).unwrap_or(i64::MAX),
        formula_id: formula.to_owned(),
        exit_code: finished.exit.unwrap_or(-1),
        results: execution.wares.clone(),
        hostname: None,
        metadata: remarks.collect(),
    };
    FormulaRun {
        record,
        began_ms: execution.began_ms,
        wall_ms: finished.dur_ms,
        label: finished.label.clone(),
    }
}
