//! Named pipes between a command and streams.
//!
//! A command may leave its pipes alone, close them early, or open them again: then both go on where they were left, until the command has
//! ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode};

/// How long it takes until it is seen that the command has ended.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes that are handed on at once, and that a pipe is asked to hold.
pub(crate) const PIECE: usize = 1 << 20;

/// Makes a pipe that everybody may open.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)?;
    // Whatever the umask.
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(0o666))?)
}

/// Gives a pipe what `next` yields until that is nothing, as far as the command takes it; then its end to whoever opens it.
pub(crate) fn feed<E: From<io::Error>>(
    path: &Path,
    done: &AtomicBool,
    next: &mut dyn FnMut() -> Result<Option<Vec<u8>>, E>,
) -> Result<(), E> {
    let mut pipe = loop {
        match open(path, Way::Write) {
            Ok(pipe) => break pipe,
            // Nobody reads it yet.
            Err(error) if error.raw_os_error() == Some(libc_enxio()) => {}
            Err(error) => return Err(error.into()),
        }
        if done.load(Ordering::Acquire) {
            return Ok(());
        }
        thread::sleep(LOOK);
    };
    rustix::io::ioctl_fionbio(&pipe, false).map_err(io::Error::from)?;
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIECE);
    while let Some(bytes) = next()? {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match pipe.write(rest) {
                Ok(many) => rest = &rest[many..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nobody has it open just now; what it holds stays as long as this end is open.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    if done.load(Ordering::Acquire) {
                        return Ok(());
                    }
                    thread::sleep(LOOK);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    while !has_reader(&pipe)? && !done.load(Ordering::Acquire) {
        thread::sleep(LOOK);
    }
    drop(pipe);
    while !done.load(Ordering::Acquire) {
        drop(open(path, Way::Write));
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Takes what the command puts into a pipe until it has ended; `idle` is called where nothing comes.
pub(crate) fn drain<E: From<io::Error>>(
    path: &Path,
    done: &AtomicBool,
    taken: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut pipe = open(path, Way::Read)?;
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIECE);
    let mut bytes = vec![0; PIECE];
    loop {
        // In this order: what came before the end is still there.
        let is_done = done.load(Ordering::Acquire);
        let mut all = [PollFd::new(&pipe, PollFlags::IN)];
        let within = Timespec::try_from(LOOK).ok();
        match poll(&mut all, within.as_ref()) {
            Err(rustix::io::Errno::INTR) | Ok(_) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let has_hung_up = all[0].revents().contains(PollFlags::HUP);
        match pipe.read(&mut bytes) {
            Ok(0) => {
                if is_done {
                    return Ok(());
                }
                if has_hung_up {
                    // Who opens it next finds a reader all the time, and this one waits again.
                    pipe = open(path, Way::Read)?;
                }
                taken(Piece::Nothing)?;
            }
            Ok(many) => taken(Piece::Bytes(&bytes[..many]))?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if is_done {
                    return Ok(());
                }
                taken(Piece::Nothing)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What came out of a pipe.
pub(crate) enum Piece<'b> {
    /// Bytes.
    Bytes(&'b [u8]),
    /// Nothing for a moment.
    Nothing,
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
    use std::fs;

    fn fifo() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        make(&path).unwrap();
        (dir, path)
    }

    fn fed(parts: &[&str], command: impl FnOnce(&Path)) {
        let (_dir, path) = fifo();
        let done = AtomicBool::new(false);
        let mut parts =
            parts.iter().map(|part| part.as_bytes().to_vec()).collect::<Vec<_>>().into_iter();
        thread::scope(|scope| {
            let feeder = scope.spawn(|| feed::<io::Error>(&path, &done, &mut || Ok(parts.next())));
            command(&path);
            done.store(true, Ordering::Release);
            feeder.join().unwrap().unwrap();
        });
    }

    fn drained(command: impl FnOnce(&Path)) -> String {
        let (_dir, path) = fifo();
        let done = AtomicBool::new(false);
        let mut all = Vec::new();
        thread::scope(|scope| {
            let drainer = scope.spawn(|| {
                drain::<io::Error>(&path, &done, &mut |piece| {
                    if let Piece::Bytes(bytes) = piece {
                        all.extend_from_slice(bytes);
                    }
                    Ok(())
                })
            });
            command(&path);
            done.store(true, Ordering::Release);
            drainer.join().unwrap().unwrap();
        });
        String::from_utf8(all).unwrap()
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
