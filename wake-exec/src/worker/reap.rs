//! Waits for processes, and ensures that none is left.

use std::process::ExitCode;

use rustix::io::Errno;

use super::kernel::{self, ReapedChild, Wait};

/// The main loop of the outside process: it ends when the worker has ended, with every process inside.
pub(crate) fn wait_for(worker: libc::pid_t) -> ExitCode {
    match kernel::reap_one(worker, Wait::Block) {
        Ok(Some(ReapedChild { status: 0, .. })) => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

/// Kills and reaps every other process in the PID namespace.
///
/// As process 1, it inherits every orphan, so having no child means being alone; and a fork in progress when the kill
/// arrives fails in the kernel, so nothing escapes.
pub(crate) fn all_inside() -> Result<(), Errno> {
    // Usually nobody is left, and the kernel would search all processes of the machine for targets.
    if !kernel::has_child() {
        return Ok(());
    }
    kernel::kill_all();
    while kernel::reap_one(-1, Wait::Block)?.is_some() {}
    Ok(())
}
