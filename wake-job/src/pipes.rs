//! Named pipes between a command and streams.
//!
//! A command may leave its pipes alone, close them early, or open them again: then both go on where they were left, until the command has
//! ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode};

use crate::flow::{Flow, FlowError, LOOK, PIECE, Step, wait_for_bytes, wait_for_room};

/// Makes a pipe that everybody may open.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)?;
    // Whatever the umask.
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(0o666))?)
}

/// Has `give` put bytes into a pipe until it says that this was all, or the command has ended; then gives its end to whoever opens it.
///
/// Where `give` finds that nobody has the pipe open, it is asked again after a moment.
pub(crate) fn feed<E: From<io::Error>>(
    path: &Path,
    done: &AtomicBool,
    give: &mut dyn FnMut(&File) -> Result<Given, E>,
) -> Result<(), E> {
    let is_done = || done.load(Ordering::Acquire);
    let pipe = loop {
        match open(path, Way::Write) {
            Ok(pipe) => break pipe,
            // Nobody reads it yet.
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
            // What it holds stays as long as this end is open.
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

/// What came of giving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// There may be more.
    Some,
    /// This was all.
    All,
    /// Nobody has the pipe open just now.
    NobodyReads,
}

/// Files whose bytes go into a pipe one after the other.
#[derive(Default)]
pub(crate) struct Blocks {
    block: Option<File>,
    flow: Flow,
}

impl Blocks {
    /// Gives some of the file that is there, or else of the next one.
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

/// Has what the command puts into a pipe be taken until it has ended, or `taker` takes no more.
pub(crate) fn drain<E: From<io::Error>>(
    path: &Path,
    done: &AtomicBool,
    taker: &mut dyn Taker<E>,
) -> Result<(), E> {
    let mut pipe = open(path, Way::Read)?;
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIECE);
    loop {
        // In this order: what came before the end is still there.
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
                // Who opens it next finds a reader all the time, and this one waits again.
                pipe = open(path, Way::Read)?;
            }
            (Taken::Nothing, _) => {}
        }
        if taker.nothing_came()? == Taken::Refused {
            return Ok(());
        }
    }
}

/// Takes what comes out of a pipe.
pub(crate) trait Taker<E> {
    /// Takes some of what has come, without waiting for more. What was seen to have come may be gone: an end, once the pipe is opened again.
    fn take(&mut self, pipe: &File) -> Result<Taken, E>;

    /// Nothing has come for a moment.
    fn nothing_came(&mut self) -> Result<Taken, E>;
}

/// What came of taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There may be more.
    Some,
    /// There is nothing.
    Nothing,
    /// No more is taken.
    Refused,
}

/// Whether it is that nobody is at the other end of a pipe or a socket any more.
pub(crate) fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Whether anybody has the other end of a pipe open that is written.
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
                // Somebody opened it after the last one had closed it, and has written nothing yet.
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
    fn an_input_is_taken_once_left_alone_or_closed_early() {
        fed(&["some ", "bytes"], |path| {
            assert_eq!(fs::read_to_string(path).unwrap(), "some bytes");
            // It is at its end.
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
            // It goes on where it was left.
            assert_eq!(fs::read(path).unwrap().len(), long.len());
        });
        fed(&[], |path| assert_eq!(fs::read(path).unwrap(), b""));
    }

    #[test]
    fn an_output_is_all_that_was_written_however_often_it_was_opened() {
        assert_eq!(drained(|_| ()), "");
        assert_eq!(drained(|path| fs::write(path, "once").unwrap()), "once");
        let many = drained(|path| (0..50).for_each(|n| fs::write(path, format!("{n} ")).unwrap()));
        assert_eq!(many, (0..50).map(|n| format!("{n} ")).collect::<String>());
        let long = "y".repeat(5 << 20);
        assert!(drained(|path| fs::write(path, &long).unwrap()) == long);
    }
}
