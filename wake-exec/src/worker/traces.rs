//! Removing what a command can leave in the namespaces that the next one gets.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::confine::Confinement;
use super::{kernel, sysv};
use crate::job::Network;

/// The places where traces show, open for as long as the namespaces last that they show.
pub(crate) struct Traces {
    /// How many sockets there are.
    sockets: Option<OwnedFd>,
    /// The last process number given out; some kernels do not have the setting.
    last_pid: Option<OwnedFd>,
}

const SOCKETS: &str = "self/net/sockstat";

impl Traces {
    pub(crate) fn new(confined: &Confinement) -> Result<Self, Errno> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let last_pid =
            rustix::fs::openat(&confined.proc, "sys/kernel/ns_last_pid", flags, Mode::empty()).ok();
        let sockets = match confined.network {
            Network::None => open(&confined.proc, SOCKETS)?,
            Network::Host => None,
        };
        Ok(Traces { sockets, last_pid })
    }

    /// Gives the next command namespaces without a trace of the last one, which must be dead.
    pub(crate) fn remove(
        &mut self,
        confined: &Confinement,
        buffer: &mut [u8],
    ) -> Result<(), Errno> {
        if sysv::holds_anything()? {
            kernel::unshare(libc::CLONE_NEWIPC)?;
        }
        if let Some(sockets) = &self.sockets
            && !is_quiet(read(sockets, buffer)?)
        {
            kernel::unshare(libc::CLONE_NEWNET)?;
            kernel::loopback_up()?;
            self.sockets = open(&confined.proc, SOCKETS)?;
        }
        if let Some(last_pid) = &self.last_pid {
            // Only so that process numbers repeat; nothing depends on it.
            let _ = rustix::io::pwrite(last_pid, b"1", 0);
        }
        Ok(())
    }
}

/// None on a kernel without the facility, which has no traces of it.
fn open(proc: impl AsFd, path: &str) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(proc, path, flags, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        other => other.map(Some),
    }
}

/// Whether no connection lingers: the kernel keeps closed ones for a minute.
fn is_quiet(sockets: &[u8]) -> bool {
    let tcp = sockets.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"TCP:"));
    let mut words = tcp.unwrap_or_default().split(|byte| *byte == b' ');
    let mut none = |name: &[u8]| {
        words.by_ref().any(|word| word == name) && words.next() == Some(b"0".as_slice())
    };
    none(b"orphan") && none(b"tw")
}

fn read(place: impl AsFd, buffer: &mut [u8]) -> Result<&[u8], Errno> {
    let length = rustix::io::retry_on_intr(|| rustix::io::pread(&place, &mut *buffer, 0))?;
    Ok(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_linger_are_seen() {
        let told = |tcp: &str| {
            format!("sockets: used 1\nTCP: {tcp}\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\n")
        };
        for quiet in ["inuse 0 orphan 0 tw 0 alloc 3 mem 1", "orphan 0 tw 0"] {
            assert!(is_quiet(told(quiet).as_bytes()), "{quiet}");
        }
        let others =
            ["inuse 0 orphan 1 tw 0", "inuse 0 orphan 0 tw 10 alloc 0", "orphan 0", "tw 0", ""];
        for lingering in others {
            assert!(!is_quiet(told(lingering).as_bytes()), "{lingering}");
        }
        assert!(!is_quiet(b""));
    }
}
