//! Remembered tasks: whether a task is remembered, and remembering one that several processes have performed together.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wake_buffer::BufferError;
use wake_model::{ActionDigest, Manifest, Outcome, SandboxLevel, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::engine::{Engine, EngineRequest, Performance};
use wake_steps::error::StepError;
use wake_steps::event::{Event, Reporter};
use wake_steps::{Cancel, clock};
use wake_store::{Adopted, Store};

use crate::lookup::{Came, Looking};
use crate::outflow::Outflow;
use crate::stream_list::StreamList;
use crate::tally::ended_as;
use crate::task::Task;

/// Whether a task is remembered with all of its outputs; nothing is run to find out.
pub fn is_remembered(
    task: &Arc<Task>,
    store: &Arc<Store>,
    sandbox: SandboxLevel,
    cancel: &Cancel,
) -> Result<bool, Diagnostic> {
    let was_asked = Arc::new(AtomicBool::new(false));
    let engine = Box::new(Nobody { was_asked: was_asked.clone() });
    let came = Looking { task, store, sandbox }.by(engine, false, cancel, &mut Silent)?;
    let failed = |error: BufferError| Diagnostic::error(Class::Environment, error.to_string());
    match came {
        _ if was_asked.load(Ordering::Acquire) => Ok(false),
        Some(Came::Remembered(tree)) => {
            lists(task, store, &tree).map(|lists| lists.is_some()).map_err(failed)
        }
        Some(Came::Failed(diagnostic)) => Err(*diagnostic),
        Some(Came::Ran | Came::Ended(_)) | None => Ok(false),
    }
}

/// Remembers a task whose replicas have run independently and succeeded, with complete outputs, if each replica has performed the task's
/// action.
pub fn remember(
    task: &Arc<Task>,
    store: &Arc<Store>,
    sandbox: SandboxLevel,
    performed: &[Option<ActionDigest>],
) -> Result<(), Diagnostic> {
    let cancel =
        Cancel::new().map_err(|error| Diagnostic::error(Class::Environment, error.to_string()))?;
    let (performed, now) = (performed.to_vec(), clock::unix_ms());
    let engine = Box::new(PutTogether { task: task.clone(), store: store.clone(), performed, now });
    let came = Looking { task, store, sandbox }.by(engine, true, &cancel, &mut Silent)?;
    match came {
        Some(Came::Failed(diagnostic)) => Err(*diagnostic),
        _ => Ok(()),
    }
}

/// Performs nothing, and returns the outputs of replicas that have run independently.
struct PutTogether {
    task: Arc<Task>,
    store: Arc<Store>,
    performed: Vec<Option<ActionDigest>>,
    now: u64,
}

impl Engine for PutTogether {
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        // A node with different system directories has performed another action.
        let action = order.pinned.action.digest();
        if self.performed.iter().any(|performed| *performed != Some(action)) {
            return Err(StepError::Cancelled);
        }
        let outflow = Outflow { store: &self.store, task: &self.task, now: self.now };
        let left = Ok(Some(outflow.listed()?));
        Ok(Performance { left, ..ended_as(Outcome::Exited(0), self.now) })
    }

    fn bring(&self, _tree: &TreeDigest, _manifest: &Manifest) -> Result<Adopted, StepError> {
        Err(StepError::Cancelled)
    }
}

/// Returns the lists of blocks of a remembered task's outputs; none if some blocks are gone.
pub(crate) fn lists(
    task: &Task,
    store: &Store,
    tree: &TreeDigest,
) -> Result<Option<Vec<StreamList>>, BufferError> {
    let place = store.tree_place(tree).join(task.pipe_dir().as_str());
    let mut lists = Vec::new();
    for (name, _) in &task.outputs {
        let text = fs::read_to_string(place.join(name.as_str())).unwrap_or_default();
        let Some(list) = StreamList::parse(&text) else { return Ok(None) };
        for block in &list.blocks {
            if store.open_blob(&block.blob)?.is_none() {
                return Ok(None);
            }
        }
        lists.push(list);
    }
    Ok(Some(lists))
}

/// Performs nothing, and records whether it was asked to.
struct Nobody {
    was_asked: Arc<AtomicBool>,
}

impl Engine for Nobody {
    fn perform(&self, _order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        self.was_asked.store(true, Ordering::Release);
        Err(StepError::Cancelled)
    }

    fn bring(&self, _tree: &TreeDigest, _manifest: &Manifest) -> Result<Adopted, StepError> {
        Err(StepError::Cancelled)
    }
}

struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _event: &Event) {}
}
