//! Turns a pinned step into a job for the sandbox.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use wake_exec::{
    Access, Fidelity, Identity, Job, JobRoot, Limits, Logs, Rights, Seal, Source, TakeOutputs,
    WorkPlace,
};
use wake_model::action::Command;
use wake_model::declared::LONGEST_TIMEOUT;
use wake_model::{InputNode, OutputDecl, OutputKind, Outputs, RelPath, RootFs};
use wake_store::ware::DEFAULT_TIME;
use wake_store::{Store, StoreError};

use super::keep::KeptFiles;
use crate::pin::{InputPart, InputPlace, PinnedAction};
use crate::step::{Input, Root, SourceBase, SourceFiles};

/// Converts a time limit of any origin, capped at the longest that a clock can count.
fn wall(seconds: f64) -> Duration {
    let longest = Duration::from_secs(LONGEST_TIMEOUT.into());
    Duration::try_from_secs_f64(seconds).map_or(longest, |wall| wall.min(longest))
}

/// Where in a scratch directory an empty root directory is made.
const EMPTY_ROOT: &str = "root";

/// Returns the job of `pinned`, with its outputs going to `into`; `scratch` holds what it needs on disk. Sources are used in place.
pub fn job(
    pinned: &PinnedAction,
    store: &Store,
    sources: &dyn SourceFiles,
    into: &Path,
    scratch: Option<&Path>,
) -> Job {
    job_with(pinned, KeptFiles::default(), store, sources, into, scratch)
}

/// The same, with some of its sources taken from the store.
pub(super) fn job_with(
    pinned: &PinnedAction,
    kept: KeptFiles,
    store: &Store,
    sources: &dyn SourceFiles,
    into: &Path,
    scratch: Option<&Path>,
) -> Job {
    let KeptFiles { mut single, shown, layers, many_shown } = kept;
    let action = &pinned.action;
    let mut job = Job::module(command(&action.command), into.to_owned());
    job.identity = Identity {
        uid: action.user.uid,
        gid: action.user.gid,
        hostname: action.user.hostname.clone(),
        rights: action.user.rights,
    };
    job.root = root(pinned, store, scratch);
    job.work = (!action.work.is_root()).then(|| action.work.clone());
    let placed = |(path, input, node, located): InputPart<'_>, kept: Option<Source>| {
        let source = || source(input, &node, located, pinned, store, sources);
        let path = action.work.join(path);
        wake_exec::JobInput { path, source: kept.unwrap_or_else(source) }
    };
    let many = (!many_shown).then(|| pinned.own_parts().map(|part| placed(part, None)));
    let is_shown = |number: usize| shown.get(number).is_some_and(|shown| *shown);
    let singles = pinned.single_parts().enumerate();
    let singles = singles
        .filter(|(number, _)| !is_shown(*number))
        .map(|(number, part)| placed(part, single.remove(&number)));
    job.inputs = many.into_iter().flatten().chain(singles).collect();
    job.layers = layers;
    let own = action.own_dirs.iter().cloned();
    job.inputs.extend(own.map(|path| wake_exec::JobInput { path, source: Source::Dir }));
    job.outputs.base = action.work.clone();
    job.outputs.texts.clone_from(&pinned.terms.texts);
    job.outputs.depfile.clone_from(&pinned.terms.depfile);
    job.outputs.report.clone_from(&pinned.terms.report);
    set_outputs(&mut job, pinned);
    job.network = action.network;
    job.level = action.sandbox;
    job.place = pinned.terms.place;
    job.devices.clone_from(&pinned.terms.devices);
    if let (true, Some(scratch)) = (pinned.terms.on_disk, scratch) {
        job.scratch = WorkPlace::Disk(scratch.to_owned());
    }
    job.limits = Limits {
        wall: pinned.terms.timeout.map(wall),
        grace: pinned.terms.grace,
        memory: pinned.terms.memory,
        processors: pinned.terms.processors,
        shared_memory: pinned.terms.shared_memory,
        ..Limits::default()
    };
    if let Outputs::Wares(_) | Outputs::Layer(_) = action.outputs {
        job.made_at = DEFAULT_TIME;
    }
    job.logs = if pinned.terms.live { Logs::AtOnce } else { Logs::AtEnd };
    job
}

fn command(command: &Command) -> wake_exec::Command {
    match command {
        Command::Run(run) => wake_exec::Command {
            program: run.program.clone(),
            args: run.args.clone(),
            env: run.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            stdin: run.stdin.clone().into_bytes(),
            cwd: run.cwd.clone(),
        },
        Command::Collect { .. } | Command::Image { .. } => wake_exec::Command::default(),
    }
}

/// Returns whether the command gets an empty root of its own.
pub(super) fn has_empty_copy(pinned: &PinnedAction) -> bool {
    pinned.action.root == RootFs::Empty && pinned.action.work.is_root()
}

/// Creates that empty root.
pub(super) fn make_empty_root(job: &Job, scratch: Option<&Path>) -> Result<(), StoreError> {
    let empty = scratch.map(|scratch| scratch.join(EMPTY_ROOT));
    match (&job.root, empty) {
        (JobRoot::Dir { host, .. }, Some(empty)) if *host == empty => {
            let made = u64::try_from(job.made_at).unwrap_or_default();
            let made = SystemTime::UNIX_EPOCH + Duration::from_secs(made);
            fs::create_dir(&empty)
                .and_then(|()| File::open(&empty)?.set_modified(made))
                .map_err(|source| StoreError::Io { path: empty, source })
        }
        _ => Ok(()),
    }
}

fn root(pinned: &PinnedAction, store: &Store, scratch: Option<&Path>) -> JobRoot {
    let access = match &pinned.action.root {
        RootFs::Mount { access, .. } => *access,
        _ if pinned.action.work.is_root() || takes_changes(&pinned.action.outputs) => {
            Access::Layered
        }
        _ => Access::ReadOnly,
    };
    match (&pinned.action.root, &pinned.root_located) {
        (RootFs::Host(_), _) => JobRoot::Host,
        (_, InputPlace::At(host)) => JobRoot::Dir { host: host.clone(), access },
        (_, InputPlace::In(tree)) => {
            let place = store.tree_place(tree);
            let host = match &pinned.root {
                Root::Output { below, .. } => place.join(below.as_str()),
                _ => place,
            };
            JobRoot::Dir { host, access }
        }
        (_, InputPlace::AsNamed) => match scratch {
            Some(scratch) if has_empty_copy(pinned) => {
                JobRoot::Dir { host: scratch.join(EMPTY_ROOT), access }
            }
            _ => JobRoot::Empty,
        },
    }
}

/// Returns whether the output is what the command changes in its root.
fn takes_changes(outputs: &Outputs) -> bool {
    matches!(outputs, Outputs::Layer(_))
}

fn set_outputs(job: &mut Job, pinned: &PinnedAction) {
    match &pinned.action.outputs {
        Outputs::Tree(_) => {
            job.outputs.declared = pinned.declared();
            if pinned.terms.left_behind.is_some() {
                job.outputs.take = TakeOutputs::Always;
            }
        }
        Outputs::Wares(wares) => {
            let below = |path: &RelPath| path.strip(&pinned.action.work).unwrap_or_default();
            let any = |path| OutputDecl { path: below(path), kind: OutputKind::Any };
            job.outputs.declared = wares.iter().map(|ware| any(&ware.path)).collect();
            job.outputs.take = TakeOutputs::Always;
            job.outputs.fidelity = Fidelity::Attributes;
        }
        Outputs::Layer(_) => {
            job.outputs.fidelity = Fidelity::Changes;
            // With a single user everything belongs to that user, who needs no rights over others.
            if !wake_exec::keeps_owners() {
                job.identity.rights = Rights::Ordinary;
            }
        }
    }
}

fn source(
    input: &Input,
    node: &InputNode,
    located: &InputPlace,
    pinned: &PinnedAction,
    store: &Store,
    sources: &dyn SourceFiles,
) -> Source {
    match (node, input, located) {
        (InputNode::File { blob, executable }, Input::File(file), _) => match &file.bytes {
            Some(bytes) => Source::Bytes { bytes: bytes.clone(), executable: *executable },
            None => Source::File {
                host: file.place(sources, store),
                blob: *blob,
                executable: *executable,
                seal: match file.base {
                    // A file in the checkout can be edited at any time.
                    SourceBase::Dir(_) => Seal::Digest,
                    SourceBase::Tree(_) => Seal::Store,
                },
            },
        },
        (InputNode::File { executable, .. }, Input::Bytes { bytes, .. }, _) => {
            Source::Bytes { bytes: bytes.clone(), executable: *executable }
        }
        (
            InputNode::File { blob, executable },
            Input::Output { below, .. },
            InputPlace::In(tree),
        ) => Source::File {
            host: store.tree_place(tree).join(below.as_str()),
            blob: *blob,
            executable: *executable,
            seal: Seal::Store,
        },
        (InputNode::Tree(_), Input::Output { below, .. }, InputPlace::In(tree)) => {
            let place = store.tree_place(tree);
            let host = if below.is_root() { place } else { place.join(below.as_str()) };
            Source::Mount { host, access: Access::ReadOnly }
        }
        (InputNode::Tree(tree), _, _) => {
            Source::Mount { host: store.tree_place(tree), access: Access::ReadOnly }
        }
        (InputNode::Ware(_), _, InputPlace::At(host)) => {
            // A single file has no directory for a layer.
            let layered = pinned.action.work.is_root() && host.is_dir();
            let access = if layered { Access::Layered } else { Access::ReadOnly };
            Source::Mount { host: host.clone(), access }
        }
        (InputNode::Mount { .. }, Input::Mount { host, access }, _) => {
            let layered = *access == Access::Layered && !host.is_dir();
            let access = if layered { Access::ReadOnly } else { *access };
            Source::Mount { host: host.clone(), access }
        }
        (InputNode::Link { target }, _, _) => Source::Link { target: target.clone() },
        _ => Source::Dir,
    }
}
