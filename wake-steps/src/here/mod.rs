//! This machine as an engine: actions run in its own sandbox, and their outputs go into its store.
//!
//! | file | does |
//! |---|---|
//! | `keep` | large or numerous sources, which are taken into the store |
//! | `job` | turns a pinned step into a job for the sandbox |
//! | `layer` | what a command changed in its root, as a layer of a container image |
//! | `packed` | outputs that are kept as packed wares |
//! | `script` | why a program could not be started |

mod keep;
mod job;
mod layer;
mod packed;
mod script;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use wake_exec::{Executor, Fidelity, Job, JobResult, Logs, Timings};
use wake_model::{Manifest, Outcome, Outputs, TreeDigest};
use wake_store::{AdoptError, Adopted, Scratch, Store, StoreError};

pub use self::job::job;
use self::keep::KeptSources;
use crate::cancel::Cancel;
use crate::clock;
use crate::engine::{Engine, EngineRequest, KeptOutputs, Performance, VisitRequest, Whereabouts};
use crate::error::StepError;
use crate::pin::PinnedAction;
use crate::profile::{Profile, SpanKind};
use crate::step::SourceFiles;

/// Runs actions on this machine.
pub struct Here {
    store: Arc<Store>,
    executor: Executor,
    kept: KeptSources,
}

impl Here {
    /// Creates an engine that runs commands with `executor` and moves their outputs into `store`.
    pub fn new(store: Arc<Store>, executor: Executor) -> Here {
        Here { store, executor, kept: KeptSources::default() }
    }
}

impl Engine for Here {
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        let EngineRequest { pinned, sources, cancel, profile, turn, wrote } = order;
        let PreparedJob { job, place, scratch: _scratch } =
            self.prepare(pinned, sources, cancel)?;
        let asked = clock::now();
        let (mut began, mut began_ms) = (asked, 0);
        let turn = || {
            let slot = turn()?;
            (began, began_ms) = (clock::now(), clock::unix_ms());
            Some(move |succeeded| slot.end(succeeded))
        };
        let result = self.executor.run_in_turn(&job, cancel.token(), turn, wrote);
        let timings = result.as_ref().ok().map(|finished| &finished.timings);
        tell_phases(profile, asked, began, timings);
        let finished =
            result.map_err(|error| script::explained(error, pinned, sources, &self.store))?;
        let JobResult {
            outcome,
            stdout,
            stderr,
            usage,
            timings,
            outputs,
            depfile,
            report,
            changes,
        } = finished;
        let _span = profile.begin(SpanKind::Step, || "keep".to_owned());
        let left = match outputs {
            // The failure itself says enough.
            _ if !outcome.is_success() && pinned.terms.left_behind.is_some() => {
                leave_behind(place, pinned);
                Ok(None)
            }
            Err(faults) => Err(faults.iter().map(ToString::to_string).collect()),
            Ok(manifest) => match &pinned.action.outputs {
                Outputs::Wares(wares) => Ok(Some(self.pack(pinned, wares, &job, cancel)?)),
                Outputs::Layer(path) if outcome.is_success() => {
                    layer::layer(pinned, changes, &job, path, &self.store)?.map(Some)
                }
                Outputs::Tree(_) if outcome.is_success() => {
                    let adopted = self.adopt(place.path(), &manifest)?;
                    place.taken();
                    let (wares, tree) = (Vec::new(), adopted.tree);
                    Ok(Some(KeptOutputs {
                        tree,
                        manifest,
                        wares,
                        bytes: Whereabouts::Here(adopted),
                    }))
                }
                Outputs::Tree(_) | Outputs::Layer(_) => Ok(None),
            },
        };
        let overhead = timings.setup + timings.collect;
        let (stdout, stderr) = (stdout.to_bytes(), stderr.to_bytes());
        let depfile = depfile.map(|bytes| bytes.into_vec());
        let report = report.map(|report| match report {
            Ok(bytes) => Ok(bytes.into_vec()),
            Err(fault) => Err(fault.to_string()),
        });
        Ok(Performance {
            began_ms,
            outcome,
            usage,
            stdout,
            stderr,
            depfile,
            report,
            overhead,
            left,
        })
    }

    fn bring(&self, tree: &TreeDigest, _manifest: &Manifest) -> Result<Adopted, StepError> {
        // All results of this engine are here already.
        Err(StepError::Integrity(format!("tree {} is not in the store", tree.0.short(12))))
    }

    fn visit(&self, order: VisitRequest<'_>) -> Result<Outcome, StepError> {
        let VisitRequest { pinned, sources, cancel, visit, visitor } = order;
        let PreparedJob { mut job, place: _place, scratch: _scratch } =
            self.prepare(pinned, sources, cancel)?;
        job.outputs.declared.clear();
        job.outputs.texts.clear();
        job.outputs.fidelity = Fidelity::Content;
        job.logs = Logs::AtOnce;
        Ok(self.executor.visit(&job, visit, cancel.token(), visitor)?.outcome)
    }

    fn rest(&self) {
        self.executor.rest();
    }
}

/// A job with its directories, which are removed when this is dropped.
struct PreparedJob {
    job: Job,
    /// Where its outputs go.
    place: Scratch,
    /// Where its files are that have to be on disk.
    scratch: Option<Scratch>,
}

impl Here {
    fn prepare(
        &self,
        pinned: &PinnedAction,
        sources: &dyn SourceFiles,
        cancel: &Cancel,
    ) -> Result<PreparedJob, StepError> {
        // No directory is created for outputs: the file system is slower to find new inodes after many were freed.
        let place = self.store.place()?;
        let needs_scratch = pinned.terms.on_disk || job::has_empty_copy(pinned);
        let scratch = needs_scratch.then(|| self.store.scratch()).transpose()?;
        let at = scratch.as_ref().map(|scratch| scratch.path());
        let kept = self.kept.keep(pinned, &self.store, sources, cancel.meter())?;
        let job = job::job_with(pinned, kept, &self.store, sources, place.path(), at);
        job::make_empty_root(&job, at)?;
        Ok(PreparedJob { job, place, scratch })
    }

    fn adopt(&self, dir: &Path, manifest: &Manifest) -> Result<Adopted, StepError> {
        if manifest.is_empty() {
            // Without declared outputs nothing was taken and no directory was created.
            let failed = |source| StoreError::Io { path: dir.to_owned(), source };
            fs::create_dir_all(dir).map_err(failed)?;
        }
        self.store.adopt_tree(dir, manifest).map_err(|error| match error {
            AdoptError::Store(error) => StepError::Store(error),
            other @ AdoptError::NotAsDeclared { .. } => StepError::Integrity(other.to_string()),
        })
    }
}

/// Moves the output of a failed command to where the user can inspect it; on error it is discarded, as without this option.
fn leave_behind(place: Scratch, pinned: &PinnedAction) {
    let Some(dir) = &pinned.terms.left_behind else { return };
    let parent = dir.parent().unwrap_or(dir);
    let _ = fs::remove_dir_all(dir);
    if fs::create_dir_all(parent).and_then(|()| fs::rename(place.path(), dir)).is_ok() {
        place.taken();
    }
}

/// Records the phases of a job that was requested at `asked`, whose turn came at `began`, and that has just ended; the phases
/// of a stopped job are unknown.
fn tell_phases(profile: &Profile, asked: Instant, began: Instant, timings: Option<&Timings>) {
    let ended = clock::now();
    let Some(Timings { wait, setup, run, collect: _ }) = timings else {
        return profile.part_of_step("run", began, ended);
    };
    let ready = (asked + *wait + *setup).min(ended);
    let running = ready.max(began);
    let collecting = (running + *run).min(ended);
    profile.part_of_step("set-up", asked, ready);
    profile.part_of_step("queue", ready, running);
    profile.part_of_step("run", running, collecting);
    profile.part_of_step("collect", collecting, ended);
}
