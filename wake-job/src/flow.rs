//! Moves bytes between a pipe and another file, with `splice` if the kernel supports it, else by copying.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

/// The interval at which every wait checks whether the command has ended.
pub(crate) const LOOK: Duration = Duration::from_millis(10);
/// Bytes that are moved at once, and the requested capacity of pipes.
///
/// More than the default capacity, for fewer system calls, but few enough to stay in the CPU cache.
pub(crate) const PIECE: usize = 256 << 10;

/// A stream from one file to another.
#[derive(Default)]
pub(crate) struct Flow {
    /// The buffer for copying; empty as long as `splice` works.
    copied: Vec<u8>,
    /// How many bytes have been read into it, and how many of these have been written.
    came: usize,
    gone: usize,
}

/// The result of one step of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes were moved.
    Moved,
    /// The source is at its end.
    End,
    /// The target accepts no more at the moment.
    Full,
}

/// An error, with the side of the flow that failed.
#[derive(Debug)]
pub(crate) enum FlowError {
    From(io::Error),
    To(io::Error),
}

impl Flow {
    /// Moves available bytes from `from` to `to`. There must be some, or `from` must be at its end.
    pub(crate) fn step(&mut self, from: &File, to: &File) -> Result<Step, FlowError> {
        if self.copied.is_empty() {
            match splice(from, None, to, None, PIECE, SpliceFlags::MOVE | SpliceFlags::NONBLOCK) {
                Ok(0) => return Ok(Step::End),
                Ok(_) => return Ok(Step::Moved),
                // Another reader may also have taken the bytes; that is rare enough for the wait not to matter.
                Err(Errno::AGAIN) => return Ok(Step::Full),
                Err(Errno::INTR) => return Ok(Step::Moved),
                Err(Errno::PIPE) => return Err(FlowError::To(Errno::PIPE.into())),
                // These kinds of files do not support it, or copying will show which side failed.
                Err(_) => self.copied = vec![0; PIECE],
            }
        }
        self.copy(from, to)
    }

    fn copy(&mut self, mut from: &File, mut to: &File) -> Result<Step, FlowError> {
        if self.gone == self.came {
            (self.came, self.gone) = match from.read(&mut self.copied) {
                Ok(0) => return Ok(Step::End),
                Ok(many) => (many, 0),
                Err(error) if passes(&error) => return Ok(Step::Moved),
                Err(error) => return Err(FlowError::From(error)),
            };
        }
        match to.write(&self.copied[self.gone..self.came]) {
            Ok(many) => {
                self.gone += many;
                Ok(Step::Moved)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::Full),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Step::Moved),
            Err(error) => Err(FlowError::To(error)),
        }
    }

    /// Whether there are bytes that have been read and not written.
    pub(crate) fn holds_some(&self) -> bool {
        self.gone < self.came
    }
}

/// Whether the error only means that there is nothing at the moment.
pub(crate) fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// Waits a moment for bytes to read, or the end; none if there was neither.
pub(crate) fn wait_for_bytes(file: &impl AsFd) -> io::Result<Option<PollFlags>> {
    wait_for(file, PollFlags::IN)
}

/// Waits a moment until a file accepts more.
pub(crate) fn wait_for_room(file: &impl AsFd) -> io::Result<()> {
    wait_for(file, PollFlags::OUT).map(drop)
}

fn wait_for(file: &impl AsFd, what: PollFlags) -> io::Result<Option<PollFlags>> {
    let mut all = [PollFd::new(file, what)];
    match poll(&mut all, Timespec::try_from(LOOK).ok().as_ref()) {
        Ok(0) | Err(Errno::INTR) => Ok(None),
        Ok(_) => Ok(Some(all[0].revents())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::fd::OwnedFd;

    fn pipe() -> (File, File) {
        let (from, to) = io::pipe().unwrap();
        (File::from(OwnedFd::from(from)), File::from(OwnedFd::from(to)))
    }

    fn all(from: &File, to: &File) -> Flow {
        let mut flow = Flow::default();
        loop {
            match flow.step(from, to).unwrap() {
                Step::Moved => {}
                Step::End => return flow,
                Step::Full => wait_for_room(to).unwrap(),
            }
        }
    }

    fn through(dir: &std::path::Path, append: bool) -> bool {
        let bytes: Vec<u8> = (0..400_000u32).flat_map(u32::to_le_bytes).collect();
        let path = dir.join("out");
        let mut options = std::fs::OpenOptions::new();
        let to = options.create(true).write(true).append(append).open(&path).unwrap();
        let (from, mut into) = pipe();
        let flow = std::thread::scope(|scope| {
            scope.spawn(|| {
                into.write_all(&bytes).unwrap();
                drop(into);
            });
            all(&from, &to)
        });
        assert!(std::fs::read(&path).unwrap() == bytes);
        !flow.copied.is_empty()
    }

    #[test]
    fn bytes_are_copied_where_splice_fails() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!through(dir.path(), false));
        std::fs::remove_file(dir.path().join("out")).unwrap();
        // `splice` does not support files in append mode.
        assert!(through(dir.path(), true));
    }

    #[test]
    fn a_full_target_is_no_error_but_a_closed_one_is() {
        let ((from, mut into), (out, to)) = (pipe(), pipe());
        for mut flow in [Flow::default(), Flow { copied: vec![0; 16], came: 0, gone: 0 }] {
            rustix::io::ioctl_fionbio(&to, true).unwrap();
            into.write_all(&[7; 40]).unwrap();
            while (&to).write(&[1; 4096]).is_ok() {}
            assert_eq!(flow.step(&from, &to).unwrap(), Step::Full);
            let mut taken = vec![0; 1 << 20];
            assert!((&out).read(&mut taken).unwrap() > 40);
            while wait_for_bytes(&from).unwrap().is_some() || flow.holds_some() {
                assert_eq!(flow.step(&from, &to).unwrap(), Step::Moved);
            }
            assert_eq!((&out).read(&mut taken).unwrap(), 40);
        }
        drop(out);
        into.write_all(b"x").unwrap();
        let error = Flow::default().step(&from, &to).unwrap_err();
        assert!(matches!(error, FlowError::To(error) if error.kind() == io::ErrorKind::BrokenPipe));
    }
}
