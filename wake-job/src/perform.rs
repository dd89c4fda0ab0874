//! Performs a task as a step of this machine, and says how it ended.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wake_buffer::{BufferError, Buffers};
use wake_exec::{Executor, Scheduling, WorkerCommand};
use wake_model::{ActionDigest, Manifest, Outcome, SandboxLevel, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::engine::{Engine, EngineRequest, Performance};
use wake_steps::error::{StepError, store_full};
use wake_steps::event::{Event, Reporter};
use wake_steps::here::Here;
use wake_steps::history::History;
use wake_steps::profile::Profile;
use wake_steps::{
    Batch, Cancel, Machine, Results, SchedulePolicy, Step, StepContext, StepFailure, StepId,
    StepSuccess, Steps, clock,
};
use wake_store::{Adopted, Store, StoreError};

use crate::engine::PipeEngine;
use crate::outflow::Outflow;
use crate::outlet::buffer_trouble;
use crate::record::{BY_USER, JobLog, NOBODY_READS, Status};
use crate::stream_list::StreamList;
use crate::tally::{ActionSlot, Restarts, Trouble, TroubleSlot, ended_as};
use crate::task::Task;

/// What a job is performed with.
pub struct Surroundings<'a> {
    /// Where bytes lie.
    pub store: &'a Arc<Store>,
    /// How a process is started that runs the command.
    pub worker: WorkerCommand,
    /// How strictly the command is kept to what is declared.
    pub sandbox: SandboxLevel,
    /// Stops it.
    pub cancel: &'a Cancel,
    /// Whether it runs although it is remembered.
    pub rerun: bool,
    /// Hears what the command writes.
    pub wrote: &'a mut dyn FnMut(&[u8]),
    /// Hears how often workers have been started again.
    pub restarted: &'a mut dyn FnMut(u32),
}

/// How a job ended.
#[derive(Debug)]
pub struct JobEnd {
    /// As what.
    pub status: Status,
    /// Why.
    pub reason: Option<String>,
    /// Whether it was remembered.
    pub remembered: bool,
    /// What went wrong around it.
    pub failure: Option<Failure>,
    /// Whether that was that nobody reads standard output.
    pub nobody_reads: bool,
    /// The action that was performed, if one was.
    pub action: Option<ActionDigest>,
}

/// Does `work` while it is looked whether `is_to_end` says so, which then fires `cancel`.
pub fn watched<T>(
    is_to_end: &(dyn Fn() -> bool + Sync),
    cancel: &Cancel,
    work: impl FnOnce() -> T,
) -> T {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                if is_to_end() {
                    return cancel.cancel();
                }
                thread::sleep(LOOK);
            }
        });
        let _over = Over(&ended);
        work()
    })
}

/// Says that something is over, however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Performs a task.
pub fn perform(task: &Arc<Task>, log: JobLog, with: Surroundings<'_>) -> JobEnd {
    let Surroundings { store, worker, sandbox, cancel, rerun, wrote, restarted } = with;
    let restarts = Restarts::default();
    let reporter = &mut JobReporter { log, wrote, restarts: restarts.clone(), told: 0, restarted };
    let action = ActionSlot::default();
    let performing = Performing { task, store, worker, sandbox, cancel, restarts, action };
    let end = performing.end(rerun, reporter);
    JobEnd { action: performing.action.get(), ..end }
}

impl JobEnd {
    /// That of a job around which something went wrong.
    pub fn failed(diagnostic: Diagnostic) -> JobEnd {
        let reason = Some(diagnostic.message.clone());
        JobEnd { failure: Some(diagnostic.into()), ..ended(Status::Failed, reason) }
    }

    /// That of a job that could not begin; `is_cancelled` says whether somebody has asked for its end meanwhile.
    pub fn not_begun(reason: &str, is_cancelled: bool) -> JobEnd {
        match is_cancelled {
            true => ended(Status::Canceled, Some(BY_USER.to_owned())),
            false => ended(Status::Failed, Some(reason.to_owned())),
        }
    }
}

struct Performing<'a> {
    task: &'a Arc<Task>,
    store: &'a Arc<Store>,
    worker: WorkerCommand,
    sandbox: SandboxLevel,
    cancel: &'a Cancel,
    restarts: Restarts,
    action: ActionSlot,
}

impl Performing<'_> {
    fn end(&self, rerun: bool, reporter: &mut JobReporter<'_>) -> JobEnd {
        let (came, trouble) = match self.once(rerun, reporter) {
            Ok(came) => came,
            Err(diagnostic) => return JobEnd::failed(diagnostic),
        };
        if let Some(Came::Remembered(tree)) = came {
            match self.recall(&tree) {
                Ok(true) => {
                    return JobEnd { remembered: true, ..ended(Status::Succeeded, None) };
                }
                // Blocks that nobody kept are gone: it is run again.
                Ok(false) => {
                    return match self.once(true, reporter) {
                        Ok((came, trouble)) => self.said(came, trouble),
                        Err(diagnostic) => JobEnd::failed(diagnostic),
                    };
                }
                Err(error) => return JobEnd::failed(buffer_trouble(&error, self.store)),
            }
        }
        self.said(came, trouble)
    }

    fn said(&self, came: Option<Came>, trouble: Option<Trouble>) -> JobEnd {
        match (came, trouble) {
            (_, Some(Trouble::NobodyReads)) => {
                let reason = Some(NOBODY_READS.to_owned());
                JobEnd { nobody_reads: true, ..ended(Status::Canceled, reason) }
            }
            (_, Some(Trouble::Stream(diagnostic))) => JobEnd::failed(*diagnostic),
            (_, Some(Trouble::Worker(reason))) => ended(Status::Failed, Some(reason)),
            (Some(Came::Ran | Came::Remembered(_)), _) => ended(Status::Succeeded, None),
            (Some(Came::Ended(outcome)), trouble) => {
                let main = match trouble {
                    Some(Trouble::Replica(number)) => format!("Main of replica {number}"),
                    _ => "Main".to_owned(),
                };
                let reason = match outcome {
                    Outcome::TimedOut => {
                        return ended(
                            Status::Canceled,
                            Some("the job exceeded its timeout".to_owned()),
                        );
                    }
                    Outcome::OutOfMemory => "the job took more memory than it may".to_owned(),
                    Outcome::Exited(code) => format!("{main} exited with code {code}"),
                    Outcome::Signaled(signal) => format!("{main} was ended by signal {signal}"),
                };
                ended(Status::Failed, Some(reason))
            }
            (Some(Came::Failed(diagnostic)), _) => match self.cancel.is_cancelled() {
                true => ended(Status::Canceled, Some(BY_USER.to_owned())),
                false => JobEnd::failed(*diagnostic),
            },
            (None, _) => ended(Status::Canceled, Some(BY_USER.to_owned())),
        }
    }

    fn once(
        &self,
        rebuild: bool,
        reporter: &mut JobReporter<'_>,
    ) -> Result<(Option<Came>, Option<Trouble>), Diagnostic> {
        let trouble = TroubleSlot::default();
        let engine = PipeEngine {
            here: Here::new(self.store.clone(), Executor::new(self.worker.clone())),
            executor: Executor::new(self.worker.clone()),
            store: self.store.clone(),
            task: self.task.clone(),
            trouble: trouble.clone(),
            restarts: self.restarts.clone(),
            action: self.action.clone(),
            scheduling: Scheduling::of_thread(),
            now: clock::unix_ms(),
        };
        let looking = Looking { task: self.task, store: self.store, sandbox: self.sandbox };
        let came = looking.by(Box::new(engine), rebuild, self.cancel, reporter)?;
        let trouble = trouble.get();
        Ok((came, trouble))
    }

    /// Has the outputs be what they were; false if some of their blocks are gone.
    fn recall(&self, tree: &TreeDigest) -> Result<bool, BufferError> {
        let buffers = Buffers::new(self.store);
        let now = clock::unix_ms();
        let Some(lists) = lists(self.task, self.store, tree)? else { return Ok(false) };
        for ((_, end), list) in self.task.outputs.iter().zip(lists) {
            let Some(id) = &end.buffer else { return Ok(false) };
            if !buffers.adopt(id, &list.blocks, list.content, now)? {
                return Ok(false);
            }
            if end.standard {
                let mut out = std::io::stdout().lock();
                buffers.read(id, wake_buffer::Unwritten::Refuse, &mut out, now, &|| false)?;
            }
        }
        Ok(true)
    }
}

/// Whether a task is remembered with all that it left; nothing is run to find out.
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

/// Remembers a task whose replicas have run apart and succeeded, all of whose outputs are whole; only if each of them has performed
/// the action that the task is.
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

/// Performs nothing, and says what replicas that have run apart have left.
struct PutTogether {
    task: Arc<Task>,
    store: Arc<Store>,
    performed: Vec<Option<ActionDigest>>,
    now: u64,
}

impl Engine for PutTogether {
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        // On a node whose system directories differ it was another one.
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

/// What went into the outputs of a remembered task; none if blocks of it are gone.
fn lists(
    task: &Task,
    store: &Store,
    tree: &TreeDigest,
) -> Result<Option<Vec<StreamList>>, BufferError> {
    let place = store.tree_place(tree).join(task.pipe_dir().as_str());
    let mut lists = Vec::new();
    for (name, _) in &task.outputs {
        let text = std::fs::read_to_string(place.join(name.as_str())).unwrap_or_default();
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

/// A task and where it is looked up.
struct Looking<'a> {
    task: &'a Arc<Task>,
    store: &'a Arc<Store>,
    sandbox: SandboxLevel,
}

impl Looking<'_> {
    /// Looks the task up, unless it is to run again, and has `engine` perform it where it is not remembered.
    fn by(
        &self,
        engine: Box<dyn Engine>,
        rebuild: bool,
        cancel: &Cancel,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Came>, Diagnostic> {
        let Looking { task, store, sandbox } = *self;
        let profile = Profile::default();
        let machine = Machine::with_engine(store.clone(), engine, Some(1), sandbox, profile)?;
        let steps = OneJob { task, store, order: [StepId(0)], came: Mutex::default() };
        let batch = Batch {
            steps: &steps,
            results: &Results::new(1),
            sources: &PathBuf::from("/"),
            history: &History::default(),
            rules: SchedulePolicy { rebuild, ..SchedulePolicy::default() },
            cancel,
            started: clock::now(),
        };
        machine.perform(&batch, reporter);
        Ok(steps.came.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Performs nothing, and knows whether it was asked to.
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

fn ended(status: Status, reason: Option<String>) -> JobEnd {
    JobEnd { status, reason, remembered: false, failure: None, nobody_reads: false, action: None }
}

/// What came of the step.
enum Came {
    Ran,
    Remembered(TreeDigest),
    Ended(Outcome),
    Failed(Box<Diagnostic>),
}

/// One job as steps.
struct OneJob<'a> {
    task: &'a Task,
    store: &'a Store,
    order: [StepId; 1],
    came: Mutex<Option<Came>>,
}

impl OneJob<'_> {
    fn came(&self, came: Came) {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(came);
    }
}

impl Steps for OneJob<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, _step: StepId) -> Vec<StepId> {
        Vec::new()
    }

    fn label(&self, _step: StepId) -> &str {
        &self.task.label
    }

    fn is_requested(&self, _step: StepId) -> bool {
        true
    }

    fn step(&self, _step: StepId, _ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        self.task.step().map_err(|diagnostic| {
            self.came(Came::Failed(Box::new(diagnostic.clone())));
            Box::new(diagnostic)
        })
    }

    fn done(&self, _step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        self.came(match kept.remembered {
            true => Came::Remembered(kept.done.tree),
            false => Came::Ran,
        });
        Ok(())
    }

    fn failed(&self, _step: StepId, failure: StepFailure<'_>) {
        self.came(match failure {
            StepFailure::Command { record, .. } => Came::Ended(record.outcome.clone()),
            StepFailure::Error(error) => {
                let diagnostic = match error {
                    StepError::Refused(diagnostic) => *diagnostic,
                    StepError::Store(StoreError::DiskFull { .. }) => store_full(self.store.root()),
                    error => Diagnostic::error(Class::Environment, error.to_string()),
                };
                Came::Failed(Box::new(diagnostic))
            }
        });
    }
}

/// Keeps what the command writes, and passes it on.
struct JobReporter<'a> {
    log: JobLog,
    wrote: &'a mut dyn FnMut(&[u8]),
    restarts: Restarts,
    /// How many of them have been told.
    told: u32,
    restarted: &'a mut dyn FnMut(u32),
}

impl Reporter for JobReporter<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::ActionOutput { bytes, .. } = event {
            self.log.add(bytes);
            (self.wrote)(bytes);
            // Each of them writes a line.
            let restarts = self.restarts.get();
            if restarts != self.told {
                self.told = restarts;
                (self.restarted)(restarts);
            }
        }
    }
}
