//! Removing what a command can leave in the namespaces that the next one gets.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::confine::Confined;
use super::kernel;
use crate::job::Network;

/// The places where traces show.
pub(crate) struct Traces {
    /// Message queues, semaphores and shared memory of System V: one heading line where there are none.
    ipc: [&'static str; 3],
    /// The last process number given out; some kernels do not have the setting.
    last_pid: Option<OwnedFd>,
}

impl Traces {
    pub(crate) fn new(confined: &Confined) -> Self {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let last_pid =
            rustix::fs::openat(&confined.proc, "sys/kernel/ns_last_pid", flags, Mode::empty()).ok();
        Traces { ipc: ["sysvipc/msg", "sysvipc/sem", "sysvipc/shm"], last_pid }
    }

    /// Gives the next command namespaces without a trace of the last one, which must be dead.
    pub(crate) fn remove(&self, confined: &Confined, buffer: &mut [u8]) -> Result<(), Errno> {
        for path in self.ipc {
            if lines(&confined.proc, path, buffer)? > 1 {
                kernel::unshare(libc::CLONE_NEWIPC)?;
                break;
            }
        }
        if confined.network == Network::None && !network_is_quiet(&confined.proc, buffer)? {
            kernel::unshare(libc::CLONE_NEWNET)?;
            kernel::loopback_up()?;
        }
        if let Some(last_pid) = &self.last_pid {
            // Only so that process numbers repeat; nothing depends on it.
            let _ = rustix::io::pwrite(last_pid, b"1", 0);
        }
        Ok(())
    }
}

fn lines(proc: impl AsFd, path: &str, buffer: &mut [u8]) -> Result<usize, Errno> {
    let read = read(proc, path, buffer)?;
    Ok(read.iter().filter(|byte| **byte == b'\n').count())
}

/// Whether no connection lingers: the kernel keeps closed ones for a minute.
fn network_is_quiet(proc: impl AsFd, buffer: &mut [u8]) -> Result<bool, Errno> {
    let text = read(proc, "self/net/sockstat", buffer)?;
    let text = String::from_utf8_lossy(text);
    let tcp = text.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let words: Vec<&str> = tcp.split_whitespace().collect();
    let none = |name: &str| {
        words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1)) == Some(&"0")
    };
    Ok(none("orphan") && none("tw"))
}

fn read<'b>(proc: impl AsFd, path: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(proc, path, flags, Mode::empty()) {
        // A kernel without the facility has no traces of it.
        Err(Errno::NOENT) => return Ok(&[]),
        other => other?,
    };
    let length = kernel::read_some(&file, buffer)?;
    Ok(&buffer[..length])
}
