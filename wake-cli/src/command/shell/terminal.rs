//! The terminal of a visit: a pseudo-terminal, relayed to the user's terminal.
//!
//! So a program in the sandbox can neither read what is typed before or after it, nor push input back to the user's shell,
//! and Ctrl-C and Ctrl-Z go to what runs there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use signal_hook::consts::SIGWINCH;
use signal_hook::iterator::Signals;

/// How long to wait for a process that keeps the sandbox's end of the terminal open; only a weak sandbox leaves any.
const LATE: Duration = Duration::from_secs(1);

/// A pseudo-terminal relayed to the user's terminal, which is restored on drop.
pub(super) struct ShownTerminal {
    before: Termios,
    shown: Receiver<()>,
}

impl ShownTerminal {
    /// Opens a pseudo-terminal and starts relaying; returns its other end.
    pub(super) fn open() -> io::Result<(ShownTerminal, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(&ours, flags)?;
        let before = tcgetattr(io::stdin())?;
        tcsetattr(&theirs, OptionalActions::Now, &before)?;
        follow_size(ours.try_clone()?)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        let (done, shown) = channel();
        let terminal = ShownTerminal { before, shown };
        pass_on(
            "typed",
            File::from(io::stdin().as_fd_owned()?),
            File::from(ours.try_clone()?),
            None,
        )?;
        pass_on("shown", File::from(ours), File::from(io::stdout().as_fd_owned()?), Some(done))?;
        Ok((terminal, theirs))
    }
}

impl Drop for ShownTerminal {
    fn drop(&mut self) {
        // The kernel ends it when its other end is closed.
        let _ = self.shown.recv_timeout(LATE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// A duplicate of a standard stream, which is not inherited by programs.
pub(super) trait Lent {
    /// Returns the duplicate.
    fn as_fd_owned(&self) -> io::Result<OwnedFd>;
}

impl<T: std::os::fd::AsFd> Lent for T {
    fn as_fd_owned(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }
}

/// Copies one file to another in a thread, until either ends; then drops `done`.
pub(super) fn pass_on(
    name: &str,
    mut from: File,
    mut to: File,
    done: Option<std::sync::mpsc::Sender<()>>,
) -> io::Result<()> {
    let work = move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) if to.write_all(&buffer[..length]).is_err() => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        drop(done);
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Keeps a terminal at the size of the user's terminal.
fn follow_size(terminal: OwnedFd) -> io::Result<()> {
    let follow = move || {
        if let Ok(size) = tcgetwinsize(io::stdout()) {
            // A terminal works without a size.
            let _ = tcsetwinsize(&terminal, size);
        }
    };
    follow();
    let mut signals = Signals::new([SIGWINCH])?;
    let work = move || signals.forever().for_each(|_| follow());
    std::thread::Builder::new().name("size".to_owned()).spawn(work).map(drop)
}
