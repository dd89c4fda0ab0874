//! The capabilities of this machine, for `wake doctor`.

use wake_model::SandboxLevel;

use crate::cancel::CancelToken;
use crate::error::SandboxError;
use crate::executor::Executor;
use crate::job::{Command, Job};

/// The result of one check of this machine.
#[derive(Debug)]
pub struct Finding {
    /// What was checked.
    pub name: &'static str,
    /// The result.
    pub result: Result<String, SandboxError>,
}

/// Tries each sandbox level by running an empty command in it.
pub fn probe(executor: &Executor) -> Vec<Finding> {
    let levels = [("strict sandbox", SandboxLevel::Strict), ("weak sandbox", SandboxLevel::Weak)];
    let levels = levels.into_iter();
    let mut findings: Vec<Finding> =
        levels.map(|(name, level)| Finding { name, result: try_level(executor, level) }).collect();
    let bounds = match executor.bounds() {
        Ok(groups) => format!("control groups {groups}"),
        Err(why) => format!("memory is measured every 20 ms: {why}"),
    };
    findings.push(Finding { name: "limits", result: Ok(bounds) });
    findings
}

fn try_level(executor: &Executor, level: SandboxLevel) -> Result<String, SandboxError> {
    let cancel = CancelToken::new().map_err(|e| SandboxError::step("create", "event", e))?;
    let command = Command {
        program: "/bin/sh".to_owned(),
        args: vec!["-c".to_owned(), ":".to_owned()],
        cwd: "/".to_owned(),
        ..Command::default()
    };
    let into = std::path::PathBuf::from(format!("/tmp/wake-probe-{}", std::process::id()));
    let mut job = Job::module(command, into);
    job.level = level;
    let finished = executor.run(&job, &cancel)?;
    let cost = finished.timings.setup + finished.timings.run;
    Ok(format!("{}, {:.1} ms a command", finished.outcome, cost.as_secs_f64() * 1e3))
}
