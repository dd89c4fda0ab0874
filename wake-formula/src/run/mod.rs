//! Carrying out a formula: inputs from warehouses, one command in the sandbox, outputs packed.
#![expect(clippy::disallowed_methods, reason = "a record says when it was made")]

pub(crate) mod assembly;
mod check;
mod error;
mod job;
mod memory;
mod outcome;
mod said;
mod supply;
mod task;

pub use error::RunError;
pub use said::Said;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use wake_exec::{CancelToken, Executor};
use wake_store::Store;
use wake_store::ware::{Meter, Warehouse};

use crate::{Dialect, Document, RunRecord};
use task::{Task, Wanted};

/// Who hears what happens; asked from several threads.
type Tell<'a> = dyn Fn(Said<'_>) + Sync + 'a;

/// What formulas are carried out with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Where unpacked wares and records are kept.
    pub store: &'a Store,
    /// Where commands run.
    pub executor: &'a Executor,
    /// The directory that relative addresses and mounts start at.
    pub base: &'a Path,
    /// Whether formulas that ask for the network get it.
    pub network: bool,
    /// Whether a formula runs although it is remembered.
    pub again: bool,
    /// Fires when everything is to stop.
    pub cancel: &'a CancelToken,
    /// Counts what is read of inputs.
    pub meter: &'a Meter,
}

/// A formula that was carried out, now or before.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What came of it, with wake's own remarks.
    pub record: RunRecord,
    /// The spelling of the formula, in which the record is to be printed.
    pub dialect: Dialect,
    /// Whether it was remembered; then it did not run and wrote nothing.
    pub remembered: bool,
}

impl Run<'_> {
    /// Carries out `document`, unless it succeeded before.
    ///
    /// A command that fails gives a record as well; it is not remembered, and neither is one that saw something of the
    /// host. `tell` hears what is being done, and what the command writes, as it is written.
    pub fn run(&self, document: &Document, tell: &Tell<'_>) -> Result<Ran, RunError> {
        let task = Task::of(document, self.base)?;
        if task.network && !self.network {
            return Err(RunError::Network);
        }
        check::places(&task)?;
        let targets = self.targets(&task)?;
        if let Some(policy) = task.policy {
            tell(Said::GrantsNothing(policy));
        }
        if !self.again
            && task.is_hermetic()
            && let Some(record) = self.recall(&task, &targets)
        {
            return Ok(Ran { record, dialect: task.dialect, remembered: true });
        }
        // What nobody could keep is not worth making.
        for (wanted, target) in task.outputs.values().zip(&targets) {
            target.as_ref().map_or(Ok(()), Warehouse::check_writable).map_err(|source| {
                RunError::Output { path: wanted.path.to_string(), source: source.into() }
            })?;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut record = RunRecord::start(&task.id, i64::try_from(time).unwrap_or(i64::MAX));
        let placed = self.supplies(&task, tell)?;
        let scratch = self.store.scratch()?;
        let job = job::job(&task, &placed, scratch.path())?;
        tell(Said::Running(&task.exec));
        let mut wrote = |stream, bytes: &[u8]| tell(Said::Wrote(stream, bytes));
        let finished = self.executor.run_telling(&job, self.cancel, &mut wrote)?;
        record.exit_code = finished.outcome.exit_code();
        let kept = match &finished.outputs {
            Ok(_) => outcome::results(&task, &job.outputs.into, &targets),
            Err(faults) => {
                let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
                Err(RunError::Left { message: lines.join("\n") })
            }
        };
        let fault = kept.map(|results| record.results = results).err();
        if let Some(fault) = &fault {
            record.metadata.insert(memory::FAULTS.to_owned(), fault.to_string());
        }
        let (stdout, stderr) = (finished.stdout.to_bytes(), finished.stderr.to_bytes());
        self.keep(&task, &mut record, &finished, [&stdout, &stderr])?;
        fault.map_or(Ok(Ran { record, dialect: task.dialect, remembered: false }), Err)
    }

    /// The warehouse of each output that is to be saved, in the outputs' order.
    fn targets(&self, task: &Task) -> Result<Vec<Option<Warehouse>>, RunError> {
        let target = |wanted: &Wanted| {
            let parse = |url: &String| {
                Warehouse::parse(url, wanted.packtype, self.base, self.store.route())
                    .map_err(|source| RunError::Address { path: wanted.path.to_string(), source })
            };
            wanted.save.as_ref().map(parse).transpose()
        };
        task.outputs.values().map(target).collect()
    }
}
