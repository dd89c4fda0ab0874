//! What can be said against a formula before it runs.

use wake_store::ware::{AbsPath, Owner};

use crate::assembly::{Assembly, Standing};
use crate::run_error::RunError;
use crate::task::{PackedOutput, Task};

/// Directories that the sandbox makes itself, and in which nothing else can stand.
fn is_system(path: &AbsPath) -> bool {
    path.components().next().is_some_and(|top| ["dev", "proc"].contains(&top))
}

/// Inputs and directories where the sandbox has something of its own, and outputs at whose place it does not look.
pub(crate) fn places(task: &Task) -> Result<(), RunError> {
    if let Some(path) = task.inputs.keys().find(|path| is_system(path)) {
        return Err(RunError::Assembly(format!(
            "input `{path}` cannot stand there: `/dev` and `/proc` are the sandbox's own"
        )));
    }
    let mounts = task.inputs.iter().filter(|(_, supply)| supply.is_host());
    for (mount, _) in mounts {
        let below = |path: &&AbsPath| *path != mount && path.starts_with(mount);
        if let Some(path) = task.inputs.keys().find(below) {
            return Err(RunError::Assembly(format!(
                "input `{path}` lies below `{mount}`, which is mounted from the host"
            )));
        }
    }
    if let Some(path) = task.prepared.iter().find(|path| is_system(path)) {
        return Err(RunError::Job(format!(
            "`{path}` cannot be made: `/dev` and `/proc` are the sandbox's own"
        )));
    }
    for PackedOutput { path, .. } in task.outputs.values() {
        if path.as_str() == "/" || is_system(path) {
            return Err(RunError::Job(format!(
                "output `{path}` cannot be kept: name a directory that the command makes"
            )));
        }
    }
    Ok(())
}

/// Whether everything above `path` is a directory or can become one; else what is wrong.
pub(crate) fn way(path: &AbsPath, assembly: &Assembly) -> Result<(), String> {
    let above = std::iter::successors(path.parent(), AbsPath::parent);
    let blocked =
        |above: &AbsPath| matches!(assembly.find(above.as_str()), Standing::File | Standing::Other);
    match above.into_iter().find(blocked) {
        Some(above) => Err(format!("`{path}` lies below `{above}`, which is no directory")),
        None => Ok(()),
    }
}

/// Whether there is a program where the command names it, in a directory that is there.
pub(crate) fn command(task: &Task, assembly: &Assembly) -> Result<(), RunError> {
    if !matches!(assembly.find(task.cwd.as_str()), Standing::Dir) {
        return Err(RunError::Job(format!("cwd `{}` is no directory in the inputs", task.cwd)));
    }
    let program = task.exec.first().map_or("", String::as_str);
    match assembly.find(program) {
        Standing::File => Ok(()),
        Standing::Nothing => {
            Err(RunError::Job(format!("`{program}` does not exist in the inputs")))
        }
        Standing::Dir | Standing::Other => {
            Err(RunError::Job(format!("`{program}` is no regular file in the inputs")))
        }
    }
}

/// Outputs that are to keep owners: what the command makes is its own, but who of several owners a part of an input had
/// is not known everywhere.
pub(crate) fn owners(task: &Task, assembly: &Assembly) -> Result<(), RunError> {
    let keeps = |wanted: &&PackedOutput| {
        [wanted.filters.uid, wanted.filters.gid].contains(&Some(Owner::Pass))
    };
    match task.outputs.values().filter(keeps).find(|wanted| assembly.brings(&wanted.path)) {
        Some(PackedOutput { path, .. }) => Err(RunError::Job(format!(
            "output `{path}` is to keep its owners, and an input brings some of it: give numbers for `uid` and `gid`"
        ))),
        None => Ok(()),
    }
}
