//! Remembering what formulas came to.

use wake_exec::{Finished, HostIdentity};
use wake_model::Digest;
use wake_model::encode::{Domain, digest_of};
use wake_store::ware::Warehouse;

use super::outcome::remarks;
use super::task::Task;
use super::{Run, RunError};
use crate::{Dialect, FormulaId, RunRecord};

impl Run<'_> {
    /// The record of an earlier run that succeeded, if what is to be saved has been.
    pub(super) fn recall(&self, task: &Task, targets: &[Option<Warehouse>]) -> Option<RunRecord> {
        let bytes = self.store.memo().get(&key(&task.id))?;
        let text = String::from_utf8(bytes).ok()?;
        let record = RunRecord::parse(&text, "record").ok()?;
        let saved = task.outputs.keys().zip(targets).all(|(name, target)| match target {
            None => true,
            Some(target) => record.results.get(name).is_some_and(|ware| target.holds(ware)),
        });
        (saved && record.formula_id == task.id.as_str()).then_some(record)
    }

    /// Keeps the record with what it cost, and what the command wrote.
    pub(super) fn keep(
        &self,
        task: &Task,
        record: &mut RunRecord,
        finished: &Finished,
        logs: [&[u8]; 2],
    ) -> Result<(), RunError> {
        remarks(record, task, finished, logs);
        if let Ok(host) = HostIdentity::read() {
            record.metadata.insert("wake.host".to_owned(), host.digest.to_string());
        }
        for log in logs.into_iter().filter(|log| !log.is_empty()) {
            self.store.put_blob(log)?;
        }
        let text = record.to_json(Dialect::Repeatr);
        self.store.keep_run(&record.guid, &text)?;
        if record.exit_code == 0 && task.is_hermetic() && !record.metadata.contains_key(FAULTS) {
            self.store.memo().put(key(&task.id), text.into_bytes());
            self.store.flush_memo()?;
        }
        Ok(())
    }
}

/// What was wrong with the outputs of a command, in the metadata of its record.
pub(super) const FAULTS: &str = "wake.faults";

/// Under which a record is remembered. Source: `spec/formulas.md`, memory.
fn key(id: &FormulaId) -> Digest {
    digest_of(Domain::Record, |encoder| {
        encoder.list(2);
        encoder.text("formula");
        encoder.text(id.as_str());
    })
}
