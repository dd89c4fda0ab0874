//! Named pipes between a command and streams.
//!
//! A command may leave its pipes unopened, close them early, or reopen them; they continue where they stopped until the command has ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode};

use crate::flow::{Flow, FlowError, LOOK, PIECE, Step, wait_for_bytes, wait_for_room};

/// Creates a pipe that every user may open.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)?;
    // Regardless of the umask.
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(0o666))?)
}

/// Calls `give` to write to a pipe until it reports the end, or the command has ended; from then on every reader sees the end.
///
/// If `give` finds that the pipe has no reader, it is called again after a pause.
pub(crate) fn feed<E: From<io::Error>>(
    path: &Path,
    done: &AtomicBool,
    give: &mut dyn FnMut(&File) -> Result<Given, E>,
) -> Result<(), E> {
    let is_done = || done.load(Ordering::Acquire);
    let pipe = loop {
        match open(path, Way::Write) {
            Ok(pipe) => break pipe,
            // It has no reader yet.
            Err(error) if error.raw_os_error() == Some(libc_enxio()) => {}
            Err(error) => return Err(error.into()),
        }
        if is_done() {
            return Ok(());
        }
        thread::sleep(LOOK);
    };
    rustix::io::ioctl_fionbio(&pipe, false).map_err(io::Error::from)?;
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIECE);
    loop {
        match give(&pipe)? {
            Given::All => break,
            Given::Some => {}
            // The pipe keeps its data as long as this end is open.
            Given::NobodyReads if is_done() => return Ok(()),
            Given::NobodyReads => thread::sleep(LOOK),
        }
    }
    while !has_reader(&pipe)? && !is_done() {
        thread::sleep(LOOK);
    }
    drop(pipe);
    while !is_done() {
        drop(open(path, Way::Write));
        thread::sleep(LOOK);
    }
    Ok(())
}

/// The result of writing to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// There may be more to write.
    Some,
    /// Everything has been written.
    All,
    /// The pipe has no reader at the moment.
    NobodyReads,
}

/// Writes the bytes of several files, in order, to a pipe.
#[derive(Default)]
pub(crate) struct Blocks {
    block: Option<File>,
    flow: Flow,
}

impl Blocks {
    /// Writes part of the current file, or of the next one if there is none.
    pub(crate) fn give<E: From<io::Error>>(
        &mut self,
        pipe: &File,
        next: &mut dyn FnMut() -> Result<Option<File>, E>,
    ) -> Result<Given, E> {
        let block = match &self.block {
            Some(block) => block,
            None => match next()? {
                Some(block) => self.block.insert(block),
                None => return Ok(Given::All),
            },
        };
        match self.flow.step(block, pipe) {
            Ok(Step::Moved) => {}
            Ok(Step::End) => self.block = None,
            Ok(Step::Full) => wait_for_room(pipe)?,
            Err(FlowError::To(error)) if has_left(&error) => return Ok(Given::NobodyReads),
            Err(FlowError::To(error) | FlowError::From(error)) => return Err(error.into()),
        }
        Ok(Given::Some)
    }
}

/// Passes what the command writes to a pipe to `taker`, until the command has ended or `taker` refuses more.
pub(crate) fn drain<E: From<io::Error>>(
    path: &Path,
    done: &AtomicBool,
    taker: &mut dyn Taker<E>,
) -> Result<(), E> {
    let mut pipe = open(path, Way::Read)?;
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIECE);
    loop {
        // In this order: bytes that were written before the end are still read.
        let is_done = done.load(Ordering::Acquire);
        let seen = wait_for_bytes(&pipe)?;
        let taken = match seen {
            Some(_) => taker.take(&pipe)?,
            None => Taken::Nothing,
        };
        match (taken, seen) {
            (Taken::Some, _) => continue,
            (Taken::Refused, _) => return Ok(()),
            (Taken::Nothing, _) if is_done => return Ok(()),
            (Taken::Nothing, Some(seen)) if seen.contains(PollFlags::HUP) => {
                // The next writer always finds a reader, and this one blocks again.
                pipe = open(path, Way::Read)?;
            }
            (Taken::Nothing, _) => {}
        }
        if taker.nothing_came()? == Taken::Refused {
            return Ok(());
        }
    }
}

/// Receives the data of a pipe.
pub(crate) trait Taker<E> {
    /// Takes available data, without waiting for more. There may be none: the pipe may have been reopened after its end was seen.
    fn take(&mut self, pipe: &File) -> Result<Taken, E>;

    /// Called when there has been no data for a moment.
    fn nothing_came(&mut self) -> Result<Taken, E>;
}

/// The result of taking data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Some was taken, and there may be more.
    Some,
    /// There is none at the moment.
    Nothing,
    /// No more is accepted.
    Refused,
}

/// Whether the error means that the other end of a pipe or socket is closed.
pub(crate) fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Whether a pipe that is being written has a reader.
fn has_reader(pipe: &File) -> io::Result<bool> {
    let mut all = [PollFd::new(pipe, PollFlags::OUT)];
    poll(&mut all, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(!all[0].revents().contains(PollFlags::ERR))
}

enum Way {
    Read,
    Write,
}

/// Opens a pipe without waiting for the other end.
fn open(path: &Path, way: Way) -> io::Result<File> {
    let mut options = OpenOptions::new();
    match way {
        Way::Read => options.read(true),
        Way::Write => options.write(true),
    };
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(path)
}

fn libc_enxio() -> i32 {
    rustix::io::Errno::NXIO.raw_os_error()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::flow::passes;
    use std::fs;
    use std::io::{Read, Seek, Write};

    struct All(Vec<u8>);

    impl Taker<io::Error> for All {
        fn take(&mut self, mut pipe: &File) -> io::Result<Taken> {
            let mut bytes = vec![0; 1 << 16];
            match pipe.read(&mut bytes) {
                Ok(0) => Ok(Taken::Nothing),
                // A new writer has opened the pipe, but has not written anything yet.
                Err(error) if passes(&error) => Ok(Taken::Some),
                many => {
                    self.0.extend_from_slice(&bytes[..many?]);
                    Ok(Taken::Some)
                }
            }
        }

        fn nothing_came(&mut self) -> io::Result<Taken> {
            Ok(Taken::Nothing)
        }
    }

    fn fifo() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        make(&path).unwrap();
        (dir, path)
    }

    fn fed(parts: &[&str], command: impl FnOnce(&Path)) {
        let (_dir, path) = fifo();
        let done = AtomicBool::new(false);
        let file = |part: &&str| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(part.as_bytes()).unwrap();
            file.rewind().unwrap();
            file
        };
        let mut parts = parts.iter().map(file).collect::<Vec<_>>().into_iter();
        let mut blocks = Blocks::default();
        let mut next = || Ok(parts.next());
        thread::scope(|scope| {
            let feeder = scope.spawn(|| {
                feed::<io::Error>(&path, &done, &mut |pipe| blocks.give(pipe, &mut next))
            });
            command(&path);
            done.store(true, Ordering::Release);
            feeder.join().unwrap().unwrap();
        });
    }

    fn drained(command: impl FnOnce(&Path)) -> String {
        let (_dir, path) = fifo();
        let done = AtomicBool::new(false);
        let mut all = All(Vec::new());
        thread::scope(|scope| {
            let drainer = scope.spawn(|| drain::<io::Error>(&path, &done, &mut all));
            command(&path);
            done.store(true, Ordering::Release);
            drainer.join().unwrap().unwrap();
        });
        String::from_utf8(all.0).unwrap()
    }

    #[test]
    fn an_input_is_read_once_or_left_unopened_or_closed_early() {
        fed(&["some ", "bytes"], |path| {
            assert_eq!(fs::read_to_string(path).unwrap(), "some bytes");
            // The input is at its end.
            assert_eq!(fs::read_to_string(path).unwrap(), "");
        });
        fed(&["untouched"], |_| ());
        let long = "x".repeat(8 << 20);
        fed(&[&long, &long], |path| {
            let mut first = [0; 3];
            File::open(path).unwrap().read_exact(&mut first).unwrap();
        });
        fed(&[&long, "end"], |path| {
            let mut first = [0; 3];
            File::open(path).unwrap().read_exact(&mut first).unwrap();
            // It continues where it stopped.
            assert_eq!(fs::read(path).unwrap().len(), long.len());
        });
        fed(&[], |path| assert_eq!(fs::read(path).unwrap(), b""));
    }

    #[test]
    fn an_output_has_everything_written_however_often_it_is_opened() {
        assert_eq!(drained(|_| ()), "");
        assert_eq!(drained(|path| fs::write(path, "once").unwrap()), "once");
        let many = drained(|path| (0..50).for_each(|n| fs::write(path, format!("{n} ")).unwrap()));
        assert_eq!(many, (0..50).map(|n| format!("{n} ")).collect::<String>());
        let long = "y".repeat(5 << 20);
        assert!(drained(|path| fs::write(path, &long).unwrap()) == long);
    }
}
