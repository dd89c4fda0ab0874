//! Waiting for processes, and making sure that none is left.

use std::process::ExitCode;

use rustix::io::Errno;

use super::kernel::{self, ReapedChild, Wait};

/// The life of the process outside: it ends when the worker has, with every process that was inside.
pub(crate) fn wait_for(worker: libc::pid_t) -> ExitCode {
    match kernel::reap_one(worker, Wait::Block) {
        Ok(Some(ReapedChild { status: 0, .. })) => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

/// Kills and reaps every process but this one in its process namespace.
///
/// As process number 1 it inherits every orphan, so that having no child means being alone; and a fork
/// under way when the kill comes fails in the kernel, so that nothing slips through.
pub(crate) fn all_inside() -> Result<(), Errno> {
    // Mostly nobody is left, and the kernel would look at every process of the machine for whom to kill.
    if !kernel::has_child() {
        return Ok(());
    }
    kernel::kill_all();
    while kernel::reap_one(-1, Wait::Block)?.is_some() {}
    Ok(())
}
