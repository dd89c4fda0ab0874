//! A command of a module that ran in a build, from the events of that build.

use std::collections::BTreeMap;

use serde::Serialize;
use wake_steps::event::{ActionFinished, Event, Execution};

use crate::command::log::past::Past;

/// What of a record is known without computing ids, in the order of a whole one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Brief<'a> {
    guid: &'a str,
    time: i64,
    exit_code: i32,
    metadata: BTreeMap<String, String>,
}

/// One run of a module's command.
pub(super) struct ModuleRun {
    /// What its build said of it.
    pub(super) finished: ActionFinished,
    /// The same, about the run itself.
    pub(super) execution: Execution,
    /// The build.
    run: String,
    /// How strictly commands were kept in it.
    sandbox: String,
}

impl ModuleRun {
    /// The commands that ran in a build.
    pub(super) fn all_in(past: &Past) -> Vec<ModuleRun> {
        let sandbox = past.events.iter().find_map(|event| match event {
            Event::Started { sandbox, .. } => Some(sandbox.clone()),
            _ => None,
        });
        let sandbox = sandbox.unwrap_or_default();
        let of = |event: &Event| {
            let Event::ActionFinished(finished) = event else { return None };
            let execution = finished.execution.clone()?;
            let (run, sandbox) = (past.run.clone(), sandbox.clone());
            Some(ModuleRun { finished: (**finished).clone(), execution, run, sandbox })
        };
        past.events.iter().filter_map(of).collect()
    }

    /// How it ended, as shells give it.
    pub(super) fn exit_code(&self) -> i32 {
        self.finished.exit.unwrap_or(-1)
    }

    /// When it began, in seconds since 1970.
    pub(super) fn time(&self) -> i64 {
        i64::try_from(self.execution.began_ms / 1000).unwrap_or(i64::MAX)
    }

    /// What wake notes beside the fields that every record has.
    pub(super) fn remarks(&self) -> BTreeMap<String, String> {
        let ModuleRun { finished, execution, run, sandbox } = self;
        // Logs of earlier releases say only which host was seen.
        let hermetic = execution.hermetic && execution.host.is_none();
        let hermetic = if hermetic { "yes" } else { "no" };
        let sys_us = finished.cpu_us.saturating_sub(execution.user_us);
        let always = [
            ("wake.module", finished.label.clone()),
            ("wake.run", run.clone()),
            ("wake.wall_us", execution.wall_us.to_string()),
            ("wake.user_us", execution.user_us.to_string()),
            ("wake.sys_us", sys_us.to_string()),
            ("wake.peak_bytes", finished.rss_max.to_string()),
            ("wake.sandbox", sandbox.clone()),
            ("wake.hermetic", hermetic.to_owned()),
        ];
        let known = [
            ("wake.key", finished.key.clone()),
            ("wake.outputs", finished.outputs.clone()),
            ("wake.host", execution.host.clone()),
            ("wake.stdout", finished.stdout.clone()),
            ("wake.stderr", finished.stderr.clone()),
            ("wake.faults", Some(finished.faults.join("\n")).filter(|faults| !faults.is_empty())),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        always.into_iter().chain(known).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The record without the ids that have to be computed.
    pub(super) fn brief(&self) -> Brief<'_> {
        Brief {
            guid: &self.execution.guid,
            time: self.time(),
            exit_code: self.exit_code(),
            metadata: self.remarks(),
        }
    }
}
