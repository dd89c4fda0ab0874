//! From a document to a task: resolves the codespec and the buffers, creates missing buffers, fetches the image.
//!
//! [`plan`] checks everything and creates nothing, so a job that cannot be run leaves nothing behind.

use std::collections::BTreeMap;
use std::path::Path;

use wake_buffer::{BufferError, Buffers, State, WriteOptions};
use wake_codespec::name::{BufferName, CodespecReference};
use wake_codespec::run::{BufferArgument, RunCodespec, RunDocument, RunWorker};
use wake_codespec::{Codespec, Kind};
use wake_image::Images;
use wake_model::{BufferId, Network, SandboxLevel, Tags};
use wake_steps::diagnostic::Class;
use wake_store::Store;

use crate::container::{Container, TaskRoot};
use crate::graphics::Graphics;
use crate::image_root::{RootError, root};
use crate::options::{JobOptions, Place, RootChoice, Streams};
use crate::possible::{
    Bounds, PlannedWorker, Refusal, in_weak_sandbox, ports_differ, possible, refused,
};
use crate::record::{JobRecord, Status, WorkerRecord};
use crate::resolve::{self, PrepareError, free, inputs, several};
use crate::task::{InputEnd, OutputEnd, Task, WorkerTask};

/// A run that this machine can perform, as far as is known without its image.
#[derive(Debug)]
pub struct Plan {
    /// Warnings.
    pub warnings: Vec<String>,
    codespec: Codespec,
    /// Its name for people.
    label: String,
    /// The reference of a named codespec, with its version.
    reference: Option<CodespecReference>,
    replicas: u32,
    worker: Option<PlannedWorker>,
    options: JobOptions,
    inputs: Vec<(BufferName, InputEnd)>,
    outputs: BTreeMap<BufferName, BufferArgument>,
}

/// The roots of a job and of its worker.
#[derive(Debug)]
pub struct Roots {
    job: TaskRoot,
    worker: Option<TaskRoot>,
}

/// Where the outputs of a job go.
#[derive(Debug)]
pub struct MadeOutputs {
    /// Where each output goes.
    pub ends: Vec<(BufferName, OutputEnd)>,
    /// Temporary buffers, which are removed afterwards.
    pub passing: Vec<BufferId>,
}

/// Checks whether a run can be performed on this machine.
pub fn plan(
    run: &RunDocument,
    options: JobOptions,
    store: &Store,
    now: u64,
) -> Result<Plan, PrepareError> {
    let (codespec, reference) = resolve::codespec(run, &run.job.codespec, Kind::Job, store)?;
    let label = reference.as_ref().map_or_else(|| codespec.image.clone(), ToString::to_string);
    let worker = match &run.worker {
        None => None,
        Some(RunWorker { codespec: wanted, replicas, .. }) => {
            let (codespec, reference) = resolve::codespec(run, wanted, Kind::Worker, store)?;
            Some(PlannedWorker { codespec, reference, replicas: *replicas })
        }
    };
    let arguments = run.arguments(&codespec)?;
    let given = options.graphics.as_ref();
    let own_graphics = || Some(Graphics::of(Path::new("/dev"), given).count());
    let bounds = match options.place {
        Place::Here => Bounds { replicas: run.job.replicas, graphics: own_graphics() },
        Place::Replica(_) => Bounds { replicas: 1, graphics: own_graphics() },
        // Without workers each replica may be on another machine.
        Place::Elsewhere if worker.is_none() => Bounds { replicas: 1, graphics: None },
        Place::Elsewhere | Place::Cluster => Bounds { replicas: run.job.replicas, graphics: None },
    };
    let mut warnings = possible(run, &codespec, worker.as_ref(), (options.place, &bounds))?;
    if options.shares_network() && options.place != Place::Cluster {
        ports_differ(&codespec, run.job.replicas, worker.as_ref())?;
    }
    let worker_codespec = worker.as_ref().map(|worker| &worker.codespec);
    if options.sandbox == SandboxLevel::Weak && options.place != Place::Cluster {
        warnings.extend(in_weak_sandbox(&options, [Some(&codespec), worker_codespec])?);
    }
    // The configuration of an image is known only once it has been fetched.
    if let Some(choice) = &options.root {
        let root = choice.as_root();
        for codespec in [Some(&codespec), worker_codespec].into_iter().flatten() {
            runnable(codespec, &root)?;
        }
    }
    let buffers = Buffers::new(store);
    let inputs = inputs(&codespec, &arguments, options.streams, &buffers, now)?;
    let is_standard = |(_, end): &(_, InputEnd)| matches!(end, InputEnd::Standard);
    if let Some((name, _)) = inputs.iter().find(|input| is_standard(input))
        && run.job.replicas > 1
    {
        let message =
            format!("{} replicas cannot share standard input as `{name}`", run.job.replicas);
        let help = format!("put the input into a buffer and use `--buffer {name}=ID`");
        return Err(refused(Class::Usage, message, &help).into());
    }
    let free = free(codespec.outputs(), &arguments);
    if options.streams == Streams::Standard && free.len() > 1 {
        return Err(several("output", &free));
    }
    let is_output = |(name, _): &(BufferName, _)| codespec.outputs().contains(name);
    let outputs: BTreeMap<_, _> = arguments.into_iter().filter(is_output).collect();
    for argument in outputs.values() {
        // Another replica may be writing it.
        if let BufferArgument::Buffer(id) = argument
            && buffers.live(id, now)?.state != State::Unwritten
            && !matches!(options.place, Place::Replica(_))
        {
            return Err(BufferError::Written(id.clone()).into());
        }
    }
    let replicas = run.job.replicas;
    Ok(Plan { warnings, codespec, label, reference, replicas, worker, options, inputs, outputs })
}

impl Plan {
    /// Creates buffers for the outputs that have none.
    pub fn make_outputs(
        &self,
        run: &RunDocument,
        store: &Store,
        now: u64,
    ) -> Result<MadeOutputs, PrepareError> {
        let buffers = Buffers::new(store);
        let is_remembered = self.why_forgotten().is_none();
        let to_standard = self.options.streams == Streams::Standard;
        let (mut ends, mut passing) = (Vec::new(), Vec::new());
        for name in self.codespec.outputs() {
            let argument = self.outputs.get(name);
            let end = match argument {
                Some(BufferArgument::Buffer(id)) => {
                    OutputEnd { buffer: Some(id.clone()), standard: false }
                }
                Some(BufferArgument::Ephemeral) | None if to_standard && !is_remembered => {
                    OutputEnd { buffer: None, standard: true }
                }
                _ => {
                    let mut tags = run.job.tags.clone();
                    tags.set("bufferName", name.as_str()).map_err(BufferError::Tag)?;
                    let id = buffers.create(&tags, run.job.buffer_ttl, now)?;
                    // To remember an output, its blocks are stored; the buffer itself is only needed to print it.
                    if to_standard || argument == Some(&BufferArgument::Ephemeral) {
                        passing.push(id.clone());
                    }
                    OutputEnd { buffer: Some(id), standard: to_standard }
                }
            };
            ends.push((name.clone(), end));
        }
        Ok(MadeOutputs { ends, passing })
    }

    /// The codespec of the job.
    pub fn codespec(&self) -> &Codespec {
        &self.codespec
    }

    /// The codespec of the worker, and its number of replicas.
    pub fn worker(&self) -> Option<(&Codespec, u32)> {
        self.worker.as_ref().map(|worker| (&worker.codespec, worker.replicas))
    }

    /// Returns outputs that go nowhere, for a task that is only looked up.
    pub fn no_outputs(&self) -> MadeOutputs {
        let nowhere = OutputEnd { buffer: None, standard: false };
        let ends = self.codespec.outputs().iter().map(|name| (name.clone(), nowhere.clone()));
        MadeOutputs { ends: ends.collect(), passing: Vec::new() }
    }

    /// The input and the output that are connected to standard input and output.
    pub fn standard(&self) -> (Option<&BufferName>, Option<&BufferName>) {
        let input = self.inputs.iter().find(|(_, end)| matches!(end, InputEnd::Standard));
        let is_named =
            |name: &&BufferName| matches!(self.outputs.get(*name), Some(BufferArgument::Buffer(_)));
        let output = self.codespec.outputs().iter().find(|name| !is_named(name));
        (input.map(|(name, _)| name), output)
    }

    /// Fetches the roots of the job and its worker; an error comes with the image's name.
    pub fn roots(&self, store: &Store, images: &Images<'_>) -> Result<Roots, (String, RootError)> {
        let of = |codespec: &Codespec| {
            let root = root(&codespec.image, &self.options, store, images)
                .and_then(|root| runnable(codespec, &root).map(|()| root).map_err(Into::into));
            root.map_err(|error| (codespec.image.clone(), error))
        };
        let job = of(&self.codespec)?;
        let worker = self.worker.as_ref().map(|worker| of(&worker.codespec)).transpose()?;
        Ok(Roots { job, worker })
    }

    /// Sets the versions of the codespecs in a run.
    pub fn settle(&self, run: &mut RunDocument) {
        if let Some(reference) = &self.reference {
            run.job.codespec = RunCodespec::Named(reference.clone());
        }
        let worker = self.worker.as_ref().and_then(|worker| worker.reference.as_ref());
        if let (Some(reference), Some(worker)) = (worker, &mut run.worker) {
            worker.codespec = RunCodespec::Named(reference.clone());
        }
    }

    /// Fails the outputs of a job that will not start, so that nobody waits for them.
    pub fn fail_outputs(&self, reason: &str, store: &Store, now: u64) {
        let buffers = Buffers::new(store);
        for argument in self.outputs.values() {
            if let BufferArgument::Buffer(id) = argument {
                // If even this cannot be written, there is no way to report it.
                let begun = buffers.begin(id, WriteOptions::default(), now);
                let _ = begun.and_then(|writer| writer.fail(reason));
            }
        }
    }

    /// Returns the record of the job before it starts.
    pub fn record(&self, id: u64, run: &RunDocument, outputs: &MadeOutputs, now: u64) -> JobRecord {
        let name = |id: Option<&BufferId>| id.map_or_else(|| "_".to_owned(), BufferId::to_string);
        let inputs = self.inputs.iter().map(|(of, end)| match end {
            InputEnd::Buffer(id, _) => (of.to_string(), name(Some(id))),
            InputEnd::Standard => (of.to_string(), name(None)),
        });
        let outputs = outputs.ends.iter();
        let outputs = outputs.map(|(of, end)| (of.to_string(), name(end.buffer.as_ref())));
        JobRecord {
            id,
            status: Status::Pending,
            status_reason: None,
            created: now,
            started: None,
            finished: None,
            codespec: self.label.clone(),
            replicas: self.replicas,
            worker: self.worker.as_ref().map(|worker| WorkerRecord {
                codespec: worker
                    .reference
                    .as_ref()
                    .map_or_else(|| worker.codespec.image.clone(), ToString::to_string),
                content_id: worker.codespec.id().to_string(),
                replicas: worker.replicas,
                restarts: 0,
            }),
            content_id: self.codespec.id().to_string(),
            buffers: inputs.chain(outputs).collect(),
            tags: run.tags.clone(),
            timeout_seconds: run.timeout,
            remembered: false,
            not_remembered: self.why_forgotten(),
        }
    }

    /// Returns the task of job `id`.
    pub fn task(self, id: u64, run: &RunDocument, roots: Roots, outputs: MadeOutputs) -> Task {
        let forgotten = self.why_forgotten().is_some();
        let Plan { codespec, label, replicas, worker, options, inputs, .. } = self;
        let own = match options.place {
            Place::Replica(number) => number..number + 1,
            Place::Here | Place::Elsewhere | Place::Cluster => 0..replicas,
        };
        let worker = worker.zip(roots.worker).map(|(worker, root)| {
            let PlannedWorker { codespec, replicas, .. } = worker;
            WorkerTask { codespec, root, replicas }
        });
        Task {
            id,
            label,
            codespec,
            root: roots.job,
            replicas,
            own,
            worker,
            inputs,
            outputs: outputs.ends,
            timeout: run.timeout,
            network: options.network,
            sandbox: options.sandbox,
            given_graphics: options.graphics,
            forgotten,
        }
    }

    /// Returns why the result will not be cached, if it will not.
    pub fn why_forgotten(&self) -> Option<String> {
        if self.options.place == Place::Cluster {
            return Some("it runs in a cluster, where it can see more than it declares".to_owned());
        }
        for (name, input) in &self.inputs {
            match input {
                InputEnd::Standard => {
                    return Some(format!("`{name}` is read from standard input as a stream"));
                }
                InputEnd::Buffer(id, None) => {
                    return Some(format!("the buffer `{id}` is still being written"));
                }
                InputEnd::Buffer(_, Some(_)) => {}
            }
        }
        if self.worker.is_some() {
            return Some("it has workers".to_owned());
        }
        if self.codespec.resources.gpu.is_some_and(|gpu| gpu.milli() > 0) {
            let why = "it may get other GPUs next time";
            return Some(why.to_owned());
        }
        match (&self.options.root, self.options.network) {
            (Some(RootChoice::Dir(dir)), _) => {
                Some(format!("`{}` may hold other files next time", dir.display()))
            }
            (_, Network::Host) => Some("it has network access".to_owned()),
            _ => None,
        }
    }
}

/// Refuses a codespec that could not even be started on its root.
fn runnable(codespec: &Codespec, root: &TaskRoot) -> Result<(), Refusal> {
    let container = Container { codespec, root };
    let checked = container.invocation(&[]).and_then(|_| container.own_dirs());
    checked.map(drop).map_err(Box::new)
}

/// Merges tags; those in `over` win.
pub fn merged(tags: &Tags, over: &Tags) -> Result<Tags, wake_model::buffer::TagError> {
    let mut merged = tags.clone();
    for (key, value) in over.iter() {
        merged.set(key, value)?;
    }
    Ok(merged)
}
