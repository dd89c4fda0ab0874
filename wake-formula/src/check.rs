//! Checks on a formula before it runs.

use wake_store::ware::{AbsPath, Owner};

use crate::assembly::{Assembly, Standing};
use crate::mount;
use crate::run_error::RunError;
use crate::task::{PackedOutput, Supply, Task};

/// Returns whether a path is in a directory of the sandbox's own, in which nothing else can be.
fn is_system(path: &AbsPath) -> bool {
    path.components().next().is_some_and(|top| ["dev", "proc"].contains(&top))
}

/// How many directories deep an input can be.
const DEEPEST: usize = 64;

/// Checks that no input, directory or output is in a place that belongs to the sandbox.
pub(crate) fn places(task: &Task) -> Result<(), RunError> {
    if let Some(path) = task.inputs.keys().find(|path| is_system(path)) {
        return Err(RunError::Assembly(format!(
            "input `{path}` cannot be there: `/dev` and `/proc` are the sandbox's own"
        )));
    }
    if let Some(path) = task.inputs.keys().find(|path| path.components().count() > DEEPEST) {
        let message = format!("input `{path}` is more than {DEEPEST} directories deep");
        return Err(RunError::Assembly(message));
    }
    let placed = task.inputs.iter().map(|(path, supply)| (path, supply.is_host()));
    if let Some((path, mount)) = mount::with_input_below(placed) {
        return Err(RunError::Assembly(format!(
            "input `{path}` is below `{mount}`, which is mounted from the host"
        )));
    }
    if let Some(path) = task.prepared.iter().find(|path| is_system(path)) {
        return Err(RunError::Job(format!(
            "`{path}` cannot be created: `/dev` and `/proc` are the sandbox's own"
        )));
    }
    for PackedOutput { path, .. } in task.outputs.values() {
        if is_system(path) {
            return Err(RunError::Job(format!(
                "output `{path}` cannot be kept: `/dev` and `/proc` are the sandbox's own"
            )));
        }
    }
    Ok(())
}

/// Checks the mounts of a document; a mount that leads nowhere is an error as well.
pub(crate) fn mounts(task: &Task) -> Result<(), RunError> {
    task.inputs.iter().try_for_each(|(path, supply)| match supply {
        Supply::Mount(host, access) => task.access.mount(path, host, *access).map(drop),
        Supply::Ware(..) | Supply::Text(_) => Ok(()),
    })
}

/// Checks that everything above `path` is a directory or can become one. Nothing is placed behind a link.
pub(crate) fn way(path: &AbsPath, assembly: &Assembly) -> Result<(), String> {
    let above = std::iter::successors(path.parent(), AbsPath::parent);
    let blocked = above.filter_map(|above| match assembly.stands(&above) {
        Standing::File | Standing::Other => Some((above, "not a directory")),
        Standing::Link => Some((above, "a link")),
        Standing::Nothing | Standing::Dir => None,
    });
    match blocked.last() {
        Some((above, what)) => Err(format!("`{path}` is below `{above}`, which is {what}")),
        None => Ok(()),
    }
}

/// Checks that the command's program exists, and its working directory.
pub(crate) fn command(task: &Task, program: &str, assembly: &Assembly) -> Result<(), RunError> {
    if !matches!(assembly.find(task.cwd.as_str()), Standing::Dir) {
        return Err(RunError::Job(format!("cwd `{}` is not a directory in the inputs", task.cwd)));
    }
    match assembly.find(program) {
        Standing::File => Ok(()),
        Standing::Nothing => {
            Err(RunError::Job(format!("`{program}` does not exist in the inputs")))
        }
        Standing::Dir | Standing::Link | Standing::Other => {
            Err(RunError::Job(format!("`{program}` is not a regular file in the inputs")))
        }
    }
}

/// Checks outputs that keep owners: what the command creates is its own, but the owners of parts that come from an input are known
/// only where this process may change owners.
pub(crate) fn owners(task: &Task, assembly: &Assembly) -> Result<(), RunError> {
    if wake_exec::keeps_owners() {
        return Ok(());
    }
    let keeps = |wanted: &&PackedOutput| {
        [wanted.filters.uid, wanted.filters.gid].contains(&Some(Owner::Pass))
    };
    match task.outputs.values().filter(keeps).find(|wanted| assembly.brings(&wanted.path)) {
        Some(PackedOutput { path, .. }) => Err(RunError::Job(format!(
            "output `{path}` keeps its owners, but part of it comes from an input: give numbers for `uid` and `gid`"
        ))),
        None => Ok(()),
    }
}
