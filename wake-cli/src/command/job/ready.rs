//! A job that is ready to be submitted to a remote engine.

use wake_codespec::run::RunDocument;
use wake_job::jobs::OwnJob;
use wake_job::prepare::Plan;
use wake_job::record::{EngineName, JobRecord, SentJob};
use wake_job::sent::keep_sent;
use wake_model::BufferId;
use wake_store::Store;

use super::failure;
use crate::exit::Stop;
use crate::settings::Settings;

/// A job whose directory contains everything it needs, including buffers and images.
pub(super) struct ReadyJob<'a> {
    pub(super) store: &'a Store,
    pub(super) settings: &'a Settings,
    /// Its ownership, which its creator gives up when an engine has the job.
    pub(super) own: &'a OwnJob,
    pub(super) record: &'a JobRecord,
    pub(super) run: &'a RunDocument,
    pub(super) plan: &'a Plan,
    /// Its output buffers.
    pub(super) outputs: &'a [BufferId],
}

impl ReadyJob<'_> {
    /// Records the engine's id of the job, and whether its replicas run separately.
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
