//! A job that lies ready for an engine elsewhere to run it.

use wake_codespec::run::RunDocument;
use wake_job::prepare::Plan;
use wake_job::record::{EngineName, JobRecord, OwnJob, SentJob};
use wake_job::sent::keep_sent;
use wake_model::BufferId;
use wake_store::Store;

use super::failure;
use crate::exit::Stop;
use crate::settings::Settings;

/// A job that lies in its directory with all that says what it is, buffers and images included.
pub(super) struct ReadyJob<'a> {
    pub(super) store: &'a Store,
    pub(super) settings: &'a Settings,
    /// The right to run it, which its maker gives up when an engine has it.
    pub(super) own: &'a OwnJob,
    pub(super) record: &'a JobRecord,
    pub(super) run: &'a RunDocument,
    pub(super) plan: &'a Plan,
    /// The buffers that it writes.
    pub(super) outputs: &'a [BufferId],
}

impl ReadyJob<'_> {
    /// Keeps what the engine calls it, and whether each of its replicas runs by itself.
    pub(super) fn keep_sent(
        &self,
        engine: EngineName,
        id: String,
        apart: bool,
    ) -> Result<(), Stop> {
        let sent = SentJob { engine, id, outputs: self.outputs.to_vec(), apart };
        keep_sent(self.store, self.own, &sent).map_err(|error| failure(error).into())
    }
}
