//! From a document to a task: the codespec is looked up, the image brought, buffers found or made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use wake_buffer::{Buffers, State};
use wake_codespec::Codespec;
use wake_codespec::name::BufferName;
use wake_codespec::run::{BufferArgument, RunCodespec, RunDocument};
use wake_image::{ImageError, ImageReference, Images, Platform};
use wake_model::{BufferId, Network, Tags};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use crate::codespecs::{Codespecs, CodespecsError};
use crate::task::{InputEnd, OutputEnd, Task, TaskRoot};

/// What is said of a job beside its document.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// What it has below it; none: its image.
    pub root: Option<RootChoice>,
    /// Whether standard input and output stand for the buffers that nobody named.
    pub streams: Streams,
    /// What it may reach.
    pub network: Network,
    /// Where paths of images begin.
    pub dir: PathBuf,
}

/// What stands for an image.
#[derive(Clone, Debug)]
pub enum RootChoice {
    /// This machine's system directories.
    Host,
    /// A directory of this machine.
    Dir(PathBuf),
}

/// What stands for the buffers that nobody named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Standard input and output, for one of each.
    Standard,
    /// Buffers that are made for them.
    Made,
}

/// A task, and what was made for it.
#[derive(Debug)]
pub struct PreparedTask {
    /// The task.
    pub task: Task,
    /// The buffers that nobody will want afterwards.
    pub passing: Vec<BufferId>,
    /// What should be told.
    pub warnings: Vec<String>,
}

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The codespec could not be had.
    #[error(transparent)]
    Codespec(#[from] CodespecsError),
    /// The document is wrong.
    #[error(transparent)]
    Document(#[from] wake_codespec::DocumentError),
    /// The image could not be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A buffer could not be had.
    #[error(transparent)]
    Buffer(#[from] wake_buffer::BufferError),
    /// It cannot be run here, or not so.
    #[error("{}", .0.message)]
    Refused(Box<Diagnostic>),
}

/// The task that a run is on this machine.
pub fn prepare(
    run: &RunDocument,
    options: &JobOptions,
    store: &Store,
    images: &Images<'_>,
    now: u64,
) -> Result<PreparedTask, PrepareError> {
    let (codespec, label) = codespec(run, store)?;
    let arguments = run.arguments(&codespec)?;
    let mut warnings = possible(run, &codespec)?;
    let root = match &options.root {
        Some(RootChoice::Host) => TaskRoot::Host,
        Some(RootChoice::Dir(dir)) => TaskRoot::Dir(dir.clone()),
        None => image(&codespec.image, options, store, images)?,
    };
    let buffers = Buffers::new(store);
    let inputs = inputs(&codespec, &arguments, options, &buffers, now)?;
    let free = free(codespec.outputs(), &arguments);
    if options.streams == Streams::Standard && free.len() > 1 {
        return Err(several("output", &free));
    }
    let (timeout, network) = (run.timeout, options.network);
    let mut task = Task { label, codespec, root, inputs, outputs: Vec::new(), timeout, network };
    let remembered = task.why_forgotten().is_none();
    let mut passing = Vec::new();
    let mut outputs = Vec::new();
    for name in task.codespec.outputs() {
        let argument = arguments.get(name);
        let to_standard = options.streams == Streams::Standard;
        let end = match argument {
            Some(BufferArgument::Buffer(id)) => {
                if buffers.live(id, now)?.state != State::Unwritten {
                    return Err(wake_buffer::BufferError::Written(id.clone()).into());
                }
                OutputEnd { buffer: Some(id.clone()), standard: false }
            }
            Some(BufferArgument::Ephemeral) | None if to_standard && !remembered => {
                OutputEnd { buffer: None, standard: true }
            }
            _ => {
                let mut tags = run.job.tags.clone();
                tags.set("bufferName", name.as_str()).map_err(wake_buffer::BufferError::Tag)?;
                let id = buffers.create(&tags, run.job.buffer_ttl, now)?;
                // What is remembered is kept in blocks; the buffer itself was only to be printed.
                if to_standard || argument == Some(&BufferArgument::Ephemeral) {
                    passing.push(id.clone());
                }
                OutputEnd { buffer: Some(id), standard: to_standard }
            }
        };
        outputs.push((name.clone(), end));
    }
    task.outputs = outputs;
    if let Some(limit) = task.codespec.resources.limits.cpu {
        warnings.push(format!("the limit of {limit} processors is not enforced here"));
    }
    Ok(PreparedTask { task, passing, warnings })
}

fn codespec(run: &RunDocument, store: &Store) -> Result<(Codespec, String), PrepareError> {
    match &run.job.codespec {
        RunCodespec::Inline(codespec) => Ok(((**codespec).clone(), codespec.image.clone())),
        RunCodespec::Named(reference) => {
            let found = Codespecs::new(store).get(reference)?;
            let label = format!("{}/versions/{}", found.name, found.version);
            match found.codespec.kind() {
                wake_codespec::Kind::Job => Ok((found.codespec, label)),
                wake_codespec::Kind::Worker => {
                    let message = "the codespec for the job is required to be a job codespec";
                    Err(run.error(message).into())
                }
            }
        }
    }
}

/// Refuses what this machine cannot do; what it passes over is told.
fn possible(run: &RunDocument, codespec: &Codespec) -> Result<Vec<String>, PrepareError> {
    let refuse = |message: &str, help: &str| {
        let diagnostic = Diagnostic::error(Class::Environment, message).help(help);
        Err(PrepareError::Refused(Box::new(diagnostic)))
    };
    if run.worker.is_some() {
        return refuse(
            "runs with workers cannot be run here yet",
            "run the job without its worker",
        );
    }
    if run.job.replicas > 1 {
        return refuse("several replicas of a job cannot be run here yet", "set `replicas: 1`");
    }
    if !codespec.sockets().is_empty() {
        return refuse(
            "jobs with sockets cannot be run here yet",
            "read and write the pipes of buffers",
        );
    }
    if let Some(identity) = &codespec.identity {
        let message = format!("identity `{identity}` is not supported");
        return refuse(&message, "leave `identity` out");
    }
    if codespec.resources.gpu.is_some_and(|gpu| gpu.milli() > 0) {
        let message = "graphics processors cannot be shown to a job here";
        return refuse(message, "leave `resources.gpu` out");
    }
    let mut warnings = Vec::new();
    for (name, said) in [("cluster", &run.cluster), ("job.nodePool", &run.job.node_pool)] {
        if said.is_some() {
            warnings.push(format!("`{name}` is passed over: the job runs on this machine"));
        }
    }
    if codespec.resources.shm.is_some() {
        warnings.push("`resources.shm` is passed over: /dev/shm is as large as memory".to_owned());
    }
    Ok(warnings)
}

fn inputs(
    codespec: &Codespec,
    arguments: &BTreeMap<BufferName, BufferArgument>,
    options: &JobOptions,
    buffers: &Buffers<'_>,
    now: u64,
) -> Result<Vec<(BufferName, InputEnd)>, PrepareError> {
    let free = free(codespec.inputs(), arguments);
    match options.streams {
        Streams::Standard if free.len() > 1 => return Err(several("input", &free)),
        Streams::Made if !free.is_empty() => {
            let names: Vec<String> = free.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("nobody has said which buffer {} is", names.join(", "));
            let diagnostic = Diagnostic::error(Class::Usage, message).help(format!(
                "`--buffer {}=ID`, or `wake job exec`, which takes standard input",
                free[0]
            ));
            return Err(PrepareError::Refused(Box::new(diagnostic)));
        }
        _ => {}
    }
    let mut inputs = Vec::new();
    for name in codespec.inputs() {
        let end = match arguments.get(name) {
            Some(BufferArgument::Buffer(id)) => match buffers.live(id, now)?.state {
                State::Complete(content) => InputEnd::Buffer(id.clone(), Some(content)),
                State::Unwritten | State::Writing => InputEnd::Buffer(id.clone(), None),
                State::Failed(reason) => {
                    return Err(wake_buffer::BufferError::Failed { id: id.clone(), reason }.into());
                }
                State::BrokenOff => {
                    let bytes = buffers.get(id)?.size;
                    return Err(
                        wake_buffer::BufferError::BrokenOff { id: id.clone(), bytes }.into()
                    );
                }
            },
            Some(BufferArgument::Ephemeral) | None => InputEnd::Standard,
        };
        inputs.push((name.clone(), end));
    }
    Ok(inputs)
}

/// The buffers that standard input or output would stand for.
fn free<'n>(
    names: &'n [BufferName],
    arguments: &BTreeMap<BufferName, BufferArgument>,
) -> Vec<&'n BufferName> {
    let is_named =
        |name: &&BufferName| matches!(arguments.get(*name), Some(BufferArgument::Buffer(_)));
    names.iter().filter(|name| !is_named(name)).collect()
}

fn several(kind: &str, free: &[&BufferName]) -> PrepareError {
    let names: Vec<String> = free.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "exec cannot be called if the job has multiple unmapped {kind} buffers: it has {}",
        names.join(", ")
    );
    let help = format!("name all but one of them: `--buffer {}=ID`", free[0]);
    PrepareError::Refused(Box::new(Diagnostic::error(Class::Usage, message).help(help)))
}

fn image(
    name: &str,
    options: &JobOptions,
    store: &Store,
    images: &Images<'_>,
) -> Result<TaskRoot, PrepareError> {
    let refused = |message: String| {
        let diagnostic = Diagnostic::error(Class::Evaluation, message)
            .help("or run it on something else: `--rootfs DIR`, `--rootfs host`");
        PrepareError::Refused(Box::new(diagnostic))
    };
    let reference = ImageReference::parse(name, &options.dir)
        .map_err(|error| refused(format!("the image {error}")))?;
    let digest = images.resolve(&reference)?;
    let image = images.get(&reference, &digest, &Platform::here())?;
    let tree = images.tree(&image)?;
    let runtime = Box::new(image.config.config.clone());
    let files = store.tree_place(&tree);
    let user = user(&runtime.user, &files).map_err(refused)?;
    Ok(TaskRoot::Image { tree, runtime, user })
}

/// The numbers of `USER[:GROUP]`, each a name or a number, as the image's own files have them.
fn user(text: &str, files: &Path) -> Result<(u32, u32), String> {
    if text.is_empty() {
        return Ok((0, 0));
    }
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let table = |name: &str| fs::read_to_string(files.join("etc").join(name)).unwrap_or_default();
    let passwd = table("passwd");
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&user) || fields.get(2) == Some(&user));
    let number = |at: usize| entry.as_ref().and_then(|fields| fields.get(at)?.parse::<u32>().ok());
    let uid = user.parse::<u32>().ok().or_else(|| number(2));
    let uid = uid.ok_or_else(|| format!("the image has no user `{user}`, as whom it is to run"))?;
    let gid = match group {
        None => number(3).unwrap_or(0),
        Some(group) => {
            let groups = table("group");
            let entry = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
            let named = entry.into_iter().find(|fields| fields.first() == Some(&group));
            let named = named.and_then(|fields| fields.get(2)?.parse().ok());
            let gid = group.parse().ok().or(named);
            gid.ok_or_else(|| format!("the image has no group `{group}`, as which it is to run"))?
        }
    };
    Ok((uid, gid))
}

/// Tags with others set over them.
pub fn merged(tags: &Tags, over: &Tags) -> Result<Tags, wake_model::buffer::TagError> {
    let mut merged = tags.clone();
    for (key, value) in over.iter() {
        merged.set(key, value)?;
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::user;

    #[test]
    fn users_are_names_or_numbers() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), "root:x:0:0::/:\nbo:x:7:8::/:\n").unwrap();
        std::fs::write(dir.path().join("etc/group"), "wheel:x:10:\n").unwrap();
        for (text, expected) in [
            ("", Ok((0, 0))),
            ("bo", Ok((7, 8))),
            ("7", Ok((7, 8))),
            ("9", Ok((9, 0))),
            ("bo:wheel", Ok((7, 10))),
            ("5:6", Ok((5, 6))),
            ("eve", Err("the image has no user `eve`, as whom it is to run".to_owned())),
            ("bo:eve", Err("the image has no group `eve`, as which it is to run".to_owned())),
        ] {
            assert_eq!(user(text, dir.path()), expected, "{text}");
        }
    }
}
