//! A formula as a step, checked against its inputs.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use rayon::prelude::*;
use wake_model::action::{Command, Invocation};
use wake_model::{MountAccess as Access, Network, Outputs, RelPath, WareDecl};
use wake_steps::step::{Fetch, Root, Terms, TreeOrigin};
use wake_steps::{Input, Inputs, Step, StepContext};
use wake_store::ware::{AbsPath, Warehouse};

use crate::Dialect;
use crate::assembly::{Assembly, Part, Standing};
use crate::check;
use crate::run_error::RunError;
use crate::task::{PackedOutput, Supply, Task, shared_tmp};

/// An input on this machine.
struct PlacedInput<'t> {
    path: &'t AbsPath,
    input: Input,
    /// Its path and the command's access; none for a text.
    host: Option<(PathBuf, Access)>,
}

/// Returns the step for a formula; its wares are fetched, because their content is checked.
pub(crate) fn step(task: &Task, ground: &StepContext<'_>) -> Result<Step, RunError> {
    let inputs: Vec<(&AbsPath, &Supply)> = task.inputs.iter().collect();
    let placed: Result<Vec<PlacedInput<'_>>, RunError> =
        inputs.par_iter().map(|(path, supply)| place(path, supply, task, ground)).collect();
    let placed = placed?;
    let mut root = Root::Empty;
    let mut inputs = Inputs::default();
    let mut assembly = Assembly::default();
    for PlacedInput { path, input, host } in &placed {
        check::way(path, &assembly).map_err(RunError::Assembly)?;
        let part = host.as_ref().map_or(Part::File, |(host, _)| Part::Host(host.clone()));
        assembly.add((*path).clone(), part);
        match (path.as_str(), input) {
            ("/", input) => root = as_root(input, host.as_ref())?,
            (_, input) => inputs
                .place(relative(path)?, input.clone())
                .map_err(|conflict| RunError::Assembly(conflict.to_string()))?,
        }
    }
    let mut own_dirs = Vec::new();
    for path in own_directories(task, &placed) {
        check::way(&path, &assembly).map_err(RunError::Job)?;
        match assembly.stands(&path) {
            Standing::Dir => {}
            Standing::Nothing => assembly.add(path.clone(), Part::Dir),
            // The root file system decides where its `/tmp` is.
            Standing::Link if path == shared_tmp() => continue,
            Standing::File | Standing::Link | Standing::Other => {
                let message = format!("`{path}` must be a directory, but is not one in the inputs");
                return Err(RunError::Job(message));
            }
        }
        own_dirs.push(relative(&path)?);
    }
    let program = program(task, &assembly)?;
    check::command(task, &program, &assembly)?;
    check::owners(task, &assembly)?;
    let outputs: Result<_, RunError> = task.outputs.values().map(output).collect();
    Ok(Step {
        command: command(task, program),
        root,
        work: RelPath::root(),
        inputs,
        own_dirs,
        outputs: Outputs::Wares(outputs?),
        user: task.user.clone(),
        network: if task.network { Network::Host } else { Network::None },
        terms: Terms { live: true, forgotten: task.network, ..Terms::default() },
    })
}

fn place<'t>(
    path: &'t AbsPath,
    supply: &Supply,
    task: &Task,
    ground: &StepContext<'_>,
) -> Result<PlacedInput<'t>, RunError> {
    match supply {
        Supply::Text(text) => {
            let input = Input::Bytes { bytes: text.clone().into_bytes(), executable: false };
            Ok(PlacedInput { path, input, host: None })
        }
        Supply::Mount(host, access) => {
            let host = task.access.mount(path, host, *access)?;
            let input = Input::Mount { host: host.clone(), access: *access };
            Ok(PlacedInput { path, input, host: Some((host, *access)) })
        }
        Supply::Ware(ware, urls) => {
            let parse = |url: &String| {
                Warehouse::parse(url, ware.packtype(), &task.base, ground.wares.route())
                    .map_err(|source| RunError::Address { path: path.to_string(), source })
            };
            let from = urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
            let fetch = Fetch { ware: ware.clone(), from };
            let unpacked = ground
                .wares
                .get(&fetch, ground.tell)
                .map_err(|source| RunError::Input { path: path.to_string(), source })?;
            let host = Some((unpacked.path, Access::Layered));
            Ok(PlacedInput { path, input: Input::Ware(fetch), host })
        }
    }
}

/// Returns the input at `/`.
fn as_root(input: &Input, host: Option<&(PathBuf, Access)>) -> Result<Root, RunError> {
    let no_directory = || RunError::Assembly("input `/` is not a directory".to_owned());
    if !host.is_some_and(|(host, _)| host.is_dir()) {
        return Err(no_directory());
    }
    match input {
        Input::Ware(fetch) => Ok(Root::Ware { fetch: fetch.clone(), origin: TreeOrigin::Named }),
        Input::Mount { host, access } => Ok(Root::Mount { host: host.clone(), access: *access }),
        _ => Err(no_directory()),
    }
}

/// Returns the absolute path of the program. warpforge looks up a program without a slash in `PATH`, repeatr does not.
fn program(task: &Task, assembly: &Assembly) -> Result<String, RunError> {
    let Some(program) = task.exec.first() else {
        return Err(RunError::Job("`exec` names no program".to_owned()));
    };
    if program.starts_with('/') {
        return Ok(program.clone());
    }
    if task.dialect == Dialect::Repeatr || program.contains('/') {
        return Err(RunError::Job(format!(
            "`{program}` is not an absolute path: a formula's program is not searched for in `PATH`"
        )));
    }
    let search = task.env.get("PATH").map_or("", String::as_str);
    let mut places = search.split(':').filter(|dir| dir.starts_with('/'));
    let place = places.find_map(|dir| {
        let place = format!("{}/{program}", dir.trim_end_matches('/'));
        matches!(assembly.find(&place), Standing::File).then_some(place)
    });
    place.ok_or_else(|| RunError::Job(format!("`{program}` not found in `PATH`")))
}

fn command(task: &Task, program: String) -> Command {
    Command::Run(Invocation {
        program,
        args: task.exec.get(1..).unwrap_or_default().to_vec(),
        env: task.env.clone(),
        stdin: String::new(),
        cwd: task.cwd.to_string(),
    })
}

fn output(output: &PackedOutput) -> Result<WareDecl, RunError> {
    let PackedOutput { path, packtype, filters, keeper: _ } = output;
    let (path, packtype) = (relative(path)?, *packtype);
    Ok(WareDecl { path, packtype, filters: filters.to_string() })
}

/// Returns the directories that belong to the command: those of the cradle, and the top of each ware that its user owns.
fn own_directories(task: &Task, placed: &[PlacedInput<'_>]) -> Vec<AbsPath> {
    let owned = placed.iter().filter_map(|PlacedInput { path, host, .. }| match host {
        Some((host, Access::Layered)) => {
            let metadata = fs::symlink_metadata(host).ok()?;
            let its = metadata.is_dir() && metadata.uid() == task.user.uid;
            its.then(|| (*path).clone())
        }
        _ => None,
    });
    let layered = |path: &AbsPath| {
        let part = placed.iter().rev().find(|part| path.starts_with(part.path));
        part.is_none_or(|part| matches!(part.host, Some((_, Access::Layered))))
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
    text.parse().map_err(|error| RunError::Assembly(format!("`{path}`: {error}")))
}
