//! Running a pinned action, or remembering what came of it.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wake_exec::{CancelToken, Executor, Finished, SandboxError, Timings};
use wake_model::action::Command;
use wake_model::path::resolve_link;
use wake_model::{
    Action, ActionDigest, BlobDigest, InputNode, LogRef, Manifest, Node, Outcome, RelPath, RootFs,
    RunRecord, TreeDigest, Usage,
};
use wake_store::ware::new_guid;
use wake_store::{
    ActionEntry, AdoptError, BuildTreeError, Corruption, Logs, Lookup, Store, StoreError,
    StoredAction,
};

use crate::diagnostic::{Class, Diagnostic};
use crate::event::Execution;
use crate::files::Files;
use crate::job::Supply;
use crate::pin::{Layout, Origin, Pinned, Placed, PlacedSource};
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

/// Rights to run a command, so that steps can be got ready and put away while others run.
pub(crate) struct Slots {
    all: usize,
    free: Mutex<Free>,
    changed: Condvar,
}

struct Free {
    count: usize,
    closed: bool,
}

/// The right to run one command, given back when it is dropped.
struct Slot<'a> {
    slots: &'a Slots,
    /// How many places it takes.
    count: usize,
}

impl Slots {
    /// As many as this.
    pub(crate) fn new(count: usize) -> Slots {
        let all = count.max(1);
        let free = Free { count: all, closed: false };
        Slots { all, free: Mutex::new(free), changed: Condvar::new() }
    }

    /// Gives no more of them out, also to those who wait: the build is over.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for as many places, or all there are if these are fewer; none if no more are given out.
    fn take(&self, places: usize) -> Option<Slot<'_>> {
        let count = places.clamp(1, self.all);
        let mut free = self.lock();
        while free.count < count && !free.closed {
            free = self.changed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        if free.closed {
            return None;
        }
        free.count -= count;
        Some(Slot { slots: self, count })
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.slots.lock().count += self.count;
        // Not one: who is woken may need more places than there are, and another fewer.
        self.slots.changed.notify_all();
    }
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

/// An action that could not be run.
#[derive(Debug)]
pub(crate) enum NotRun {
    /// The build is being stopped.
    Cancelled,
    /// What a person is to be told.
    Failed(Box<Diagnostic>),
}

impl From<Diagnostic> for NotRun {
    fn from(diagnostic: Diagnostic) -> Self {
        NotRun::Failed(Box::new(diagnostic))
    }
}

impl From<StoreError> for NotRun {
    fn from(error: StoreError) -> Self {
        store_failure(&error).into()
    }
}

const MAKES_ROOM: &str = "`wake gc --max-size SIZE` makes room";

/// What a person is told when the store fails.
pub(crate) fn store_failure(error: &StoreError) -> Diagnostic {
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        StoreError::DiskFull { .. } => diagnostic.help(MAKES_ROOM),
        StoreError::Io { .. } => diagnostic,
    }
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
        digest: &ActionDigest,
        label: &str,
        started: &dyn Fn(),
    ) -> Result<Ran, NotRun> {
        match &pinned.action.command {
            Command::Run(_) => self.run_command(pinned, digest, label, started),
            Command::Collect { .. } => {
                started();
                self.collect(pinned, digest, label)
            }
        }
    }

    fn run_command(
        &self,
        pinned: &Pinned,
        digest: &ActionDigest,
        label: &str,
        started: &dyn Fn(),
    ) -> Result<Ran, NotRun> {
        // No directory is made for them: the file system finds new inodes the slower the more were just freed.
        let outputs = self.store.place()?;
        let into = outputs.path();
        let disk = pinned.limits.on_disk.then(|| self.store.scratch()).transpose()?;
        let job = Supply { store: self.store, files: self.files }.job(pinned, into, disk.as_ref());
        let asked = Instant::now();
        let places = pinned.limits.cpus.map_or(1, |cpus| cpus as usize);
        let slot = self.slots.take(places).ok_or(NotRun::Cancelled)?;
        let began = Instant::now();
        self.profile.part_of_step("queue", asked, began);
        started();
        let started_ms = now_ms();
        let result = self.executor.run(&job, self.cancel);
        self.tell_phases(began, result.as_ref().ok().map(|finished| &finished.timings));
        let finished = result.map_err(|e| sandbox_failure(label, &e, self.store))?;
        drop(slot);
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
                let (kept, replaced) =
                    self.keep(&pinned.action, digest, &record, into, &stdout, &stderr)?;
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

    /// Where the time of a job went that began at `began` and has just ended; nothing is known of the
    /// parts of one that was stopped.
    fn tell_phases(&self, began: Instant, timings: Option<&Timings>) {
        let ended = Instant::now();
        let Some(Timings { wait, setup, run, collect: _ }) = timings else {
            return self.profile.part_of_step("run", began, ended);
        };
        let running = (began + *wait + *setup).min(ended);
        let collecting = (running + *run).min(ended);
        self.profile.part_of_step("set-up", began, running);
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
        action: &Action,
        digest: &ActionDigest,
        record: &RunRecord,
        dir: &Path,
        stdout: &[u8],
        stderr: &[u8],
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
            digest: *digest,
            action,
            record,
            tree: adopted.tree,
            stamps: &adopted.stamps,
            logs: Logs { stdout, stderr },
        })?;
        Ok((adopted.tree, adopted.replaced))
    }

    /// A module without a command: its outputs are taken from what lies there.
    fn collect(&self, pinned: &Pinned, digest: &ActionDigest, label: &str) -> Result<Ran, NotRun> {
        let _span = self.profile.begin(SpanKind::Step, || "gather".to_owned());
        let started = Instant::now();
        let started_ms = now_ms();
        let mut builder = self.store.build_tree()?;
        let mut missing = Vec::new();
        for output in &pinned.declared {
            let mut found = false;
            for (path, placed) in
                pinned.layout.iter().filter(|(path, _)| path.starts_with(&output.path))
            {
                found = true;
                let (node, source) = self.followed(&pinned.layout, path, placed)?;
                self.add(&mut builder, path, &node, &source)?;
            }
            if !found {
                missing.push(format!(
                    "`{}` was declared as an output and does not exist",
                    output.path.dotted()
                ));
            }
        }
        let mut record = RunRecord {
            guid: new_guid(),
            started_ms,
            outcome: Outcome::Exited(0),
            outputs: Manifest::default(),
            stdout: None,
            stderr: None,
            usage: Usage::default(),
            sandbox: pinned.action.sandbox,
        };
        let mut tree = None;
        if missing.is_empty() {
            let (manifest, adopted) =
                builder.finish_as_outputs().map_err(|e| build_failure(label, &e))?;
            record.outputs = manifest;
            record.usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.store.put_action(ActionEntry {
                digest: *digest,
                action: &pinned.action,
                record: &record,
                tree: adopted.tree,
                stamps: &adopted.stamps,
                logs: Logs { stdout: &[], stderr: &[] },
            })?;
            tree = Some(adopted.tree);
        }
        let (stdout, stderr) = (Vec::new(), Vec::new());
        Ok(Ran {
            record,
            execution: None,
            tree,
            stdout,
            stderr,
            faults: missing,
            overhead: Duration::ZERO,
            corruption: None,
        })
    }

    /// What a link into things of others leads to, because those do not lie beside the result; anything
    /// else as it is.
    fn followed(
        &self,
        layout: &Layout,
        path: &RelPath,
        placed: &Placed,
    ) -> Result<(InputNode, PlacedSource), NotRun> {
        let as_it_is = (placed.node.clone(), placed.source.clone());
        let InputNode::Link { target } = &placed.node else { return Ok(as_it_is) };
        let place = resolve_link(&path.parent().unwrap_or_default(), target);
        let foreign = place.filter(|place| place.components().next() == Some(".wake"));
        let Some((there, below)) = foreign.and_then(|place| layout.covering(&place)) else {
            return Ok(as_it_is);
        };
        let PlacedSource::Store(tree, base, origin) = &there.source else {
            return Ok((there.node.clone(), there.source.clone()));
        };
        if below.is_root() {
            return Ok((there.node.clone(), there.source.clone()));
        }
        let at = base.join(&below);
        let manifest = self.store.manifest(tree)?.unwrap_or_default();
        let node = match manifest.get(&at) {
            Some(Node::File { blob, executable, .. }) => {
                InputNode::File { blob: *blob, executable: *executable }
            }
            Some(Node::Link { target }) => InputNode::Link { target: target.clone() },
            Some(Node::Dir) => InputNode::Dir,
            None => InputNode::Tree(manifest.subtree(&at).unwrap_or_default().digest()),
        };
        Ok((node, PlacedSource::Store(*tree, at, origin.clone())))
    }

    fn add(
        &self,
        builder: &mut wake_store::TreeBuilder,
        path: &RelPath,
        node: &InputNode,
        source: &PlacedSource,
    ) -> Result<(), NotRun> {
        let failed = |e: BuildTreeError| build_failure(path.as_str(), &e);
        match (node, source) {
            (InputNode::File { blob, executable }, PlacedSource::Checkout(from, _)) => {
                builder
                    .add_file(path, &self.files.absolute(from), blob, *executable)
                    .map_err(failed)?;
            }
            (InputNode::File { blob, executable }, PlacedSource::Store(tree, from, _)) => {
                let host = self.store.tree_place(tree).join(from.as_str());
                builder.add_file(path, &host, blob, *executable).map_err(failed)?;
            }
            (InputNode::File { executable, .. }, PlacedSource::Bytes(bytes)) => {
                builder.add_bytes(path, bytes, *executable).map_err(failed)?;
            }
            (InputNode::Tree(_), PlacedSource::Store(tree, from, _)) => {
                let Some(manifest) = self.store.manifest(tree)? else {
                    let message = format!("tree {} is not in the store", tree.0.short(12));
                    return Err(Diagnostic::error(Class::Integrity, message).into());
                };
                for (below, node) in manifest.subtree(from).unwrap_or_default().iter() {
                    let inner = match node {
                        Node::File { blob, executable, .. } => {
                            InputNode::File { blob: *blob, executable: *executable }
                        }
                        Node::Link { target } => InputNode::Link { target: target.clone() },
                        Node::Dir => InputNode::Dir,
                    };
                    let source =
                        PlacedSource::Store(*tree, from.join(below), Origin::Files(Vec::new()));
                    self.add(builder, &path.join(below), &inner, &source)?;
                }
            }
            (InputNode::Link { target }, _) => builder.add_link(path, target).map_err(failed)?,
            (InputNode::Dir | InputNode::Tree(_) | InputNode::File { .. }, _) => {
                builder.add_dir(path).map_err(failed)?;
            }
        }
        Ok(())
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

fn sandbox_failure(label: &str, error: &SandboxError, store: &Store) -> NotRun {
    let diagnostic =
        |class, message: String| Diagnostic::error(class, format!("{label}: {message}"));
    match error {
        SandboxError::Cancelled => NotRun::Cancelled,
        SandboxError::Unavailable { hint, .. } => diagnostic(Class::Environment, error.to_string())
            .help(hint.0.clone())
            .help("`--sandbox=weak` runs commands without isolation; its results are kept apart")
            .into(),
        SandboxError::Changed { .. } => diagnostic(Class::Action, error.to_string())
            .help("a file was edited during the build: run it again")
            .into(),
        SandboxError::NotStarted { .. } => diagnostic(Class::Action, error.to_string())
            .help("does its `#!` line name a program that the sandbox has?")
            .into(),
        // Outputs are named relative to the working directory; they are copied into the store.
        SandboxError::Step { source, path, .. }
            if source.kind() == std::io::ErrorKind::StorageFull
                && (path.is_relative() || path.starts_with(store.root())) =>
        {
            let store = store.root().display();
            diagnostic(Class::Environment, format!("no space left in the store `{store}`"))
                .help(MAKES_ROOM)
                .into()
        }
        SandboxError::Step { .. } | SandboxError::WorkerNotStarted { .. } => {
            diagnostic(Class::Environment, error.to_string()).into()
        }
        SandboxError::BadJob { .. } => diagnostic(Class::Evaluation, error.to_string()).into(),
        SandboxError::Worker(_) => diagnostic(Class::Internal, error.to_string()).into(),
    }
}

fn build_failure(label: &str, error: &BuildTreeError) -> NotRun {
    let message = format!("{label}: {error}");
    match error {
        BuildTreeError::Store(error) => store_failure(error).into(),
        _ => Diagnostic::error(Class::Action, message).into(),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
