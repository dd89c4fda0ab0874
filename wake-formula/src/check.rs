//! What can be said against a formula before it runs.

use wake_store::ware::{AbsPath, Owner};

use crate::assembly::{Assembly, Standing};
use crate::mount;
use crate::run_error::RunError;
use crate::task::{PackedOutput, Supply, Task};

/// Directories that the sandbox makes itself, and in which nothing else can stand.
fn is_system(path: &AbsPath) -> bool {
    path.components().next().is_some_and(|top| ["dev", "proc"].contains(&top))
}

/// The most directories that an input lies below.
const DEEPEST: usize = 64;

/// Inputs and directories where the sandbox has something of its own, and outputs at whose place it does not look.
pub(crate) fn places(task: &Task) -> Result<(), RunError> {
    if let Some(path) = task.inputs.keys().find(|path| is_system(path)) {
        return Err(RunError::Assembly(format!(
            "input `{path}` cannot stand there: `/dev` and `/proc` are the sandbox's own"
        )));
    }
    if let Some(path) = task.inputs.keys().find(|path| path.components().count() > DEEPEST) {
        let message = format!("input `{path}` lies below more than {DEEPEST} directories");
        return Err(RunError::Assembly(message));
    }
    let placed = task.inputs.iter().map(|(path, supply)| (path, supply.is_host()));
    if let Some((path, mount)) = mount::with_input_below(placed) {
        return Err(RunError::Assembly(format!(
            "input `{path}` lies below `{mount}`, which is mounted from the host"
        )));
    }
    if let Some(path) = task.prepared.iter().find(|path| is_system(path)) {
        return Err(RunError::Job(format!(
            "`{path}` cannot be made: `/dev` and `/proc` are the sandbox's own"
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

/// Mounts that the document may not have; one that leads nowhere is an error as well.
pub(crate) fn mounts(task: &Task) -> Result<(), RunError> {
    task.inputs.iter().try_for_each(|(path, supply)| match supply {
        Supply::Mount(host, access) => task.access.mount(path, host, *access).map(drop),
        Supply::Ware(..) | Supply::Text(_) => Ok(()),
    })
}

/// Whether everything above `path` is a directory or can become one; else what is wrong. Nothing is put behind a link.
pub(crate) fn way(path: &AbsPath, assembly: &Assembly) -> Result<(), String> {
    let above = std::iter::successors(path.parent(), AbsPath::parent);
    let blocked = above.filter_map(|above| match assembly.stands(&above) {
        Standing::File | Standing::Other => Some((above, "no directory")),
        Standing::Link => Some((above, "a link")),
        Standing::Nothing | Standing::Dir => None,
    });
    match blocked.last() {
        Some((above, what)) => Err(format!("`{path}` lies below `{above}`, which is {what}")),
        None => Ok(()),
    }
}

/// Whether there is a program where the command names it, in a directory that is there.
pub(crate) fn command(task: &Task, program: &str, assembly: &Assembly) -> Result<(), RunError> {
    if !matches!(assembly.find(task.cwd.as_str()), Standing::Dir) {
        return Err(RunError::Job(format!("cwd `{}` is no directory in the inputs", task.cwd)));
    }
    match assembly.find(program) {
        Standing::File => Ok(()),
        Standing::Nothing => {
            Err(RunError::Job(format!("`{program}` does not exist in the inputs")))
        }
        Standing::Dir | Standing::Link | Standing::Other => {
            Err(RunError::Job(format!("`{program}` is no regular file in the inputs")))
        }
    }
}

/// Outputs that are to keep owners: what the command makes is its own, but whose a part of an input is, is known only where
/// this process may give files away.
pub(crate) fn owners(task: &Task, assembly: &Assembly) -> Result<(), RunError> {
    if wake_exec::keeps_owners() {
        return Ok(());
    }
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
