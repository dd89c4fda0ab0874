//! The job of the sandbox that carries out a formula.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use wake_exec::{Access, Fidelity, Input, Job, Logs, Network, Root, Source, TakeOutputs};
use wake_model::{OutputDecl, OutputKind, RelPath, SandboxLevel};
use wake_store::ware::{AbsPath, PackError};

use super::assembly::{Assembly, Found, Part};
use super::supply::Placed;
use super::task::Task;
use super::{RunError, check};

/// The job for the sandbox, checked against what the inputs hold.
pub(super) fn job(
    task: &Task,
    placed: &[(&AbsPath, Placed)],
    scratch: &Path,
) -> Result<Job, RunError> {
    let mut job = Job::module(command(task)?, scratch.join("out"));
    job.root = root(placed, &scratch.join("root"))?;
    job.work = None;
    let mut assembly = Assembly::default();
    for (path, place) in placed {
        check::way(path, &assembly).map_err(RunError::assembly)?;
        let (part, source) = part(place)?;
        assembly.add((*path).clone(), part);
        if let (Some(source), false) = (source, path.as_str() == "/") {
            job.inputs.push(Input { path: relative(path)?, source });
        }
    }
    for path in own_directories(task, placed) {
        check::way(&path, &assembly).map_err(RunError::job)?;
        match assembly.find(path.as_str()) {
            Found::Dir => {}
            Found::Nothing => assembly.add(path.clone(), Part::Dir),
            Found::File | Found::Other => {
                let message = format!("`{path}` is to be a directory, and is none in the inputs");
                return Err(RunError::job(message));
            }
        }
        job.inputs.push(Input { path: relative(&path)?, source: Source::Dir });
    }
    check::command(task, &assembly)?;
    check::owners(task, &assembly)?;
    job.identity = task.identity.clone();
    job.network = if task.network { Network::Host } else { Network::None };
    job.level = SandboxLevel::Strict;
    job.logs = Logs::AtOnce;
    job.outputs.base = RelPath::root();
    job.outputs.take = TakeOutputs::Always;
    job.outputs.fidelity = Fidelity::Attributes;
    for wanted in task.outputs.values() {
        let decl = OutputDecl { path: relative(&wanted.path)?, kind: OutputKind::Any };
        job.outputs.declared.push(decl);
    }
    Ok(job)
}

fn command(task: &Task) -> Result<wake_exec::Command, RunError> {
    let (program, args) =
        task.exec.split_first().ok_or_else(|| RunError::job("`exec` names no program"))?;
    if !program.starts_with('/') {
        return Err(RunError::job(format!(
            "`{program}` is no absolute path: a formula's program is not searched for in `PATH`"
        )));
    }
    Ok(wake_exec::Command {
        program: program.clone(),
        args: args.to_vec(),
        env: task.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        stdin: Vec::new(),
        cwd: task.cwd.to_string(),
    })
}

/// The root directory: what stands at `/`, else an empty directory.
fn root(placed: &[(&AbsPath, Placed)], empty: &Path) -> Result<Root, RunError> {
    match placed.iter().find(|(path, _)| path.as_str() == "/") {
        Some((_, Placed::Host(host, access))) if host.is_dir() => {
            Ok(Root::Dir { host: host.clone(), access: *access })
        }
        Some(_) => Err(RunError::assembly("input `/` is no directory")),
        None => {
            fs::create_dir(empty).map_err(|source| RunError::Output {
                path: "/".to_owned(),
                source: PackError::Read { path: empty.to_owned(), source },
            })?;
            Ok(Root::Dir { host: empty.to_owned(), access: Access::Layered })
        }
    }
}

/// How an input looks before and in the sandbox.
fn part(placed: &Placed) -> Result<(Part, Option<Source>), RunError> {
    Ok(match placed {
        Placed::Text(text) => {
            let source = Source::Bytes { bytes: text.clone().into_bytes(), executable: false };
            (Part::File, Some(source))
        }
        Placed::Host(host, access) => {
            // A single file has no directory in which a layer could stand.
            let access = match access {
                Access::Layered if !host.is_dir() => Access::ReadOnly,
                access => *access,
            };
            (Part::Host(host.clone()), Some(Source::Mount { host: host.clone(), access }))
        }
    })
}

/// The directories that the command is given: those of the cradle, and the top of each ware whose owner it is.
fn own_directories(task: &Task, placed: &[(&AbsPath, Placed)]) -> Vec<AbsPath> {
    let owned = placed.iter().filter_map(|(path, placed)| match placed {
        Placed::Host(host, Access::Layered) => {
            let metadata = fs::symlink_metadata(host).ok()?;
            let its = metadata.is_dir() && metadata.uid() == task.identity.uid;
            its.then(|| (*path).clone())
        }
        _ => None,
    });
    let layered = |path: &AbsPath| {
        let part = placed.iter().rev().find(|(at, _)| path.starts_with(at));
        part.is_none_or(|(_, placed)| matches!(placed, Placed::Host(_, Access::Layered)))
    };
    let prepared = task.prepared.iter().filter(|path| layered(path)).cloned();
    let mut own: Vec<AbsPath> = owned.chain(prepared).collect();
    own.sort();
    own.dedup();
    own
}

fn relative(path: &AbsPath) -> Result<RelPath, RunError> {
    let text = path.as_str().trim_start_matches('/');
    if text.is_empty() {
        return Ok(RelPath::root());
    }
    text.parse().map_err(|error| RunError::assembly(format!("`{path}`: {error}")))
}
