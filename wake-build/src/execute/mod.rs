//! Running a pinned action, or remembering what came of it.
//!
//! | file | does |
//! |---|---|
//! | `slots` | how many commands run at once |
//! | `collect` | a module without a command |
//! | `failure` | what a person is told when it does not work |
#![expect(clippy::disallowed_methods, reason = "records say when commands ran and how long")]

mod collect;
mod failure;
mod slots;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wake_exec::{CancelToken, Executor, Finished, Timings};
use wake_model::action::Command;
use wake_model::{ActionDigest, BlobDigest, LogRef, Manifest, RootFs, RunRecord, TreeDigest};
use wake_store::ware::new_guid;
use wake_store::{
    ActionEntry, AdoptError, Corruption, Logs, Lookup, Store, StoreError, StoredAction,
};

use self::failure::sandbox_failure;
pub(crate) use self::failure::{NotRun, store_failure};
pub(crate) use self::slots::Slots;
use crate::diagnostic::{Class, Diagnostic};
use crate::event::Execution;
use crate::files::Files;
use crate::job::Supply;
use crate::pin::Pinned;
use crate::profile::{Profile, SpanKind};

/// What runs actions and keeps what comes of them.
pub(crate) struct Runner<'a> {
    /// Where results are kept.
    pub store: &'a Store,
    /// Where commands run.
    pub executor: &'a Executor,
    /// The checkout.
    pub files: &'a Files<'a>,
    /// Fires when the build is to stop.
    pub cancel: &'a CancelToken,
    /// How many commands may run at once.
    pub slots: Slots,
    /// Where the time goes.
    pub profile: &'a Profile,
}

/// What an action is remembered by.
pub(crate) struct Key<'a> {
    /// Its digest.
    pub digest: ActionDigest,
    /// Its canonical bytes.
    pub action: &'a [u8],
}

/// An action that was run.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What came of it.
    pub record: RunRecord,
    /// What a log keeps of the command; none if there was none.
    pub execution: Option<Box<Execution>>,
    /// The tree of its outputs; none unless it succeeded.
    pub tree: Option<TreeDigest>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// What is wrong with the outputs of a command that succeeded, a line each.
    pub faults: Vec<String>,
    /// Time around the command.
    pub overhead: Duration,
    /// Something in the store was found to be wrong, and has been replaced.
    pub corruption: Option<Corruption>,
}

impl Runner<'_> {
    /// What came of the action before, if its outputs are still there and right.
    pub(crate) fn recall(&self, digest: &ActionDigest) -> Result<Lookup<StoredAction>, NotRun> {
        Ok(self.store.action(digest)?)
    }

    /// Runs the action and keeps what comes of it, unless it fails; calls `started` when its turn has come.
    pub(crate) fn run(
        &self,
        pinned: &Pinned,
        key: &Key<'_>,
        label: &str,
        started: &dyn Fn(),
    ) -> Result<Ran, NotRun> {
        match &pinned.action.command {
            Command::Run(_) => self.run_command(pinned, key, label, started),
            Command::Collect { .. } => {
                started();
                self.collect(pinned, key, label)
            }
        }
    }

    fn run_command(
        &self,
        pinned: &Pinned,
        key: &Key<'_>,
        label: &str,
        started: &dyn Fn(),
    ) -> Result<Ran, NotRun> {
        // No directory is made for them: the file system finds new inodes the slower the more were just freed.
        let place = self.store.place()?;
        let into = place.path();
        let disk = pinned.limits.on_disk.then(|| self.store.scratch()).transpose()?;
        let job = Supply { store: self.store, files: self.files }.job(pinned, into, disk.as_ref());
        let asked = Instant::now();
        let places = pinned.limits.cpus.map_or(1, |cpus| cpus as usize);
        let (mut began, mut started_ms) = (asked, 0);
        let turn = || {
            let slot = self.slots.take(places)?;
            (began, started_ms) = (Instant::now(), now_ms());
            started();
            Some(slot)
        };
        let result = self.executor.run_in_turn(&job, self.cancel, turn);
        self.tell_phases(asked, began, result.as_ref().ok().map(|finished| &finished.timings));
        let finished = result.map_err(|e| sandbox_failure(label, &e, self.store))?;
        let _span = self.profile.begin(SpanKind::Step, || "keep".to_owned());
        let Finished { outcome, stdout, stderr, usage, timings, outputs } = finished;
        let (stdout, stderr) = (stdout.to_bytes(), stderr.to_bytes());
        let mut record = RunRecord {
            guid: new_guid(),
            started_ms,
            outcome,
            outputs: Manifest::default(),
            stdout: log_ref(&stdout),
            stderr: log_ref(&stderr),
            usage,
            sandbox: pinned.action.sandbox,
        };
        let overhead = timings.setup + timings.collect;
        let execution = Some(Box::new(execution(&record, &pinned.action.root)));
        let (mut tree, mut corruption, mut faults) = (None, None, Vec::new());
        match outputs {
            Ok(manifest) if record.outcome.is_success() => {
                record.outputs = manifest;
                let logs = Logs { stdout: &stdout, stderr: &stderr };
                let (kept, replaced) = self.keep(key, &record, into, logs)?;
                place.taken();
                (tree, corruption) = (Some(kept), replaced);
            }
            Ok(_) => {}
            Err(found) => faults = found.iter().map(ToString::to_string).collect(),
        }
        let mut ran = Ran { record, execution, tree, stdout, stderr, faults, overhead, corruption };
        if ran.tree.is_none() {
            self.keep_logs_of_failure(&mut ran)?;
        }
        Ok(ran)
    }

    /// Where the time of a job went that was asked for at `asked`, whose turn came at `began`, and that has just ended;
    /// nothing is known of the parts of one that was stopped.
    fn tell_phases(&self, asked: Instant, began: Instant, timings: Option<&Timings>) {
        let ended = Instant::now();
        let Some(Timings { wait, setup, run, collect: _ }) = timings else {
            return self.profile.part_of_step("run", began, ended);
        };
        let ready = (asked + *wait + *setup).min(ended);
        let running = ready.max(began);
        let collecting = (running + *run).min(ended);
        self.profile.part_of_step("set-up", asked, ready);
        self.profile.part_of_step("queue", ready, running);
        self.profile.part_of_step("run", running, collecting);
        self.profile.part_of_step("collect", collecting, ended);
    }

    /// The logs of a failed command are kept beside the store's records, for `wake log`.
    fn keep_logs_of_failure(&self, ran: &mut Ran) -> Result<(), NotRun> {
        for log in [&ran.stdout, &ran.stderr] {
            if !log.is_empty() {
                self.store.put_blob(log)?;
            }
        }
        Ok(())
    }

    fn keep(
        &self,
        key: &Key<'_>,
        record: &RunRecord,
        dir: &Path,
        logs: Logs<'_>,
    ) -> Result<(TreeDigest, Option<Corruption>), NotRun> {
        if record.outputs.iter().next().is_none() {
            // Where nothing was declared, nothing was taken, and nothing was made.
            let failed = |source| StoreError::Io { path: dir.to_owned(), source };
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let adopted = self.store.adopt_tree(dir, &record.outputs).map_err(|error| match error {
            AdoptError::Store(error) => store_failure(&error),
            other @ AdoptError::NotAsDeclared { .. } => {
                Diagnostic::error(Class::Integrity, other.to_string())
            }
        })?;
        self.store.put_action(ActionEntry {
            digest: key.digest,
            action: key.action,
            record,
            tree: adopted.tree,
            stamps: &adopted.stamps,
            logs,
        })?;
        Ok((adopted.tree, adopted.replaced))
    }
}

fn execution(record: &RunRecord, root: &RootFs) -> Execution {
    let host = match root {
        RootFs::Host(host) => Some(host.to_string()),
        RootFs::Empty | RootFs::Tree(_) => None,
    };
    let RunRecord { guid, started_ms, usage, .. } = record;
    let (guid, began_ms) = (guid.clone(), *started_ms);
    Execution { guid, began_ms, wall_us: usage.wall_us, user_us: usage.user_us, host }
}

fn log_ref(bytes: &[u8]) -> Option<LogRef> {
    let size = bytes.len() as u64;
    (size > 0).then(|| LogRef { blob: BlobDigest::of(bytes), size, dropped: 0 })
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
