//! Pipes for a command that is run by others, such as a container beside this one, connected to buffers.
//!
//! The runner of the command reports its success in the directory of pipes, with [`end`]; if the service is stopped before that, the
//! command did not succeed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wake_buffer::{BufferError, BufferWriter, Buffers, WriteOptions};
use wake_codespec::name::BufferName;
use wake_model::BufferId;
use wake_steps::Cancel;
use wake_store::Store;

use crate::inflow::give_buffer;
use crate::outflow::BLOCKS;
use crate::outlet::{Outlet, StreamError};
use crate::pipes;

/// The file that says that the command succeeded. Buffers cannot have such a name.
const END: &str = ".end";
/// The file that says that all outputs are complete.
const KEPT: &str = ".kept";
/// The file that says why they are not.
const FAILED: &str = ".failed";
/// The interval at which these files are looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Pipes in a directory, and their buffers.
#[derive(Debug)]
pub struct ServedPipes {
    /// The directory.
    pub dir: PathBuf,
    /// The inputs of the command.
    pub inputs: Vec<(BufferName, BufferId)>,
    /// The outputs of the command.
    pub outputs: Vec<(BufferName, BufferId)>,
}

/// Why pipes could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file could not be created or read.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A buffer cannot be read or written.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// A stream broke off.
    #[error("{0}")]
    Stream(String),
    /// The command did not succeed.
    #[error("the command did not succeed")]
    NotSucceeded,
}

/// Creates pipes in a directory; existing ones are kept.
pub fn make(dir: &Path, names: &[BufferName]) -> Result<(), ServeError> {
    for name in names {
        let path = dir.join(name.as_str());
        match pipes::make(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(|source| ServeError::Io { path, source })?,
        }
    }
    Ok(())
}

/// Reports in a directory of pipes that the command succeeded, and waits until its outputs are complete.
pub fn end(dir: &Path) -> Result<(), ServeError> {
    mark(dir, END, "")?;
    loop {
        if let Ok(reason) = fs::read_to_string(dir.join(FAILED)) {
            return Err(ServeError::Stream(reason));
        }
        if dir.join(KEPT).exists() {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
}

fn mark(dir: &Path, name: &str, text: &str) -> Result<(), ServeError> {
    // Renamed into place, because a waiting process reads it at once.
    let (path, new) = (dir.join(name), dir.join(format!("{name}.new")));
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
    written.map_err(|source| ServeError::Io { path, source })
}

impl ServedPipes {
    /// Transfers data between pipes and buffers until the command has succeeded or `cancel` fires; then the outputs are complete or have failed.
    pub fn serve(&self, store: &Store, cancel: &Cancel, now: u64) -> Result<(), ServeError> {
        let buffers = Buffers::new(store);
        for (_, id) in &self.inputs {
            buffers.live(id, now)?;
        }
        let options = WriteOptions { durable: true, ..BLOCKS };
        let begin = |(name, id)| Ok((name, buffers.begin(id, options, now)?));
        let begun = self.outputs.iter().map(|(name, id)| begin((name, id)));
        let writers = begun.collect::<Result<Vec<_>, BufferError>>()?;
        let (done, trouble) = (AtomicBool::new(false), Mutex::new(None));
        let watch = |streamed: Result<(), StreamError>| {
            if let Err(error) = streamed {
                let mut slot = trouble.lock().unwrap_or_else(PoisonError::into_inner);
                slot.get_or_insert(error.diagnostic(store).message);
            }
        };
        let (written, has_succeeded) = thread::scope(|scope| {
            let feeders: Vec<_> = self
                .inputs
                .iter()
                .map(|(name, id)| {
                    let (path, done, watch) = (self.dir.join(name.as_str()), &done, &watch);
                    scope.spawn(move || {
                        let fed = give_buffer(store, id, done, now, &mut |give| {
                            pipes::feed(&path, done, give)
                        });
                        watch(fed);
                    })
                })
                .collect();
            let drainers: Vec<_> = writers
                .into_iter()
                .map(|(name, writer)| {
                    let (path, done, watch) = (self.dir.join(name.as_str()), &done, &watch);
                    let mut outlet = Outlet::new(Some(writer), None::<File>);
                    scope.spawn(move || {
                        watch(pipes::drain(&path, done, &mut outlet));
                        outlet.end()
                    })
                })
                .collect();
            let has_succeeded = self.wait(cancel);
            done.store(true, Ordering::Release);
            feeders.into_iter().for_each(|feeder| joined(feeder.join()));
            let written: Vec<BufferWriter<'_>> =
                drainers.into_iter().filter_map(|drainer| joined(drainer.join())).collect();
            (written, has_succeeded)
        });
        let trouble = trouble.into_inner().unwrap_or_else(PoisonError::into_inner);
        let reason = match (trouble, has_succeeded) {
            (Some(trouble), _) => Some(trouble),
            (None, false) => Some(ServeError::NotSucceeded.to_string()),
            (None, true) => None,
        };
        self.conclude(written, reason, has_succeeded)
    }

    /// Waits until it is known whether the command succeeded.
    fn wait(&self, cancel: &Cancel) -> bool {
        let end = self.dir.join(END);
        loop {
            if end.exists() {
                return true;
            }
            if cancel.is_cancelled() {
                return false;
            }
            thread::sleep(LOOK);
        }
    }

    fn conclude(
        &self,
        written: Vec<BufferWriter<'_>>,
        reason: Option<String>,
        has_succeeded: bool,
    ) -> Result<(), ServeError> {
        let Some(reason) = reason else {
            for writer in written {
                writer.finish()?;
            }
            return mark(&self.dir, KEPT, "");
        };
        for writer in written {
            // If even this cannot be written, the buffer is broken off, which readers see as a failure too.
            let _ = writer.fail(&reason);
        }
        match has_succeeded {
            true => mark(&self.dir, FAILED, &reason).and(Err(ServeError::Stream(reason))),
            false => Err(ServeError::NotSucceeded),
        }
    }
}

fn joined<T>(ended: thread::Result<T>) -> T {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;
    use wake_buffer::State;
    use wake_model::Tags;

    struct Service {
        dir: tempfile::TempDir,
        store: Arc<Store>,
        pipes: Arc<ServedPipes>,
    }

    fn service(input: &[u8]) -> Service {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let buffers = Buffers::new(&store);
        let create = || buffers.create(&Tags::default(), None, 0).unwrap();
        let (from, to, left) = (create(), create(), create());
        let mut writer = buffers.begin(&from, WriteOptions::default(), 0).unwrap();
        writer.write(input).unwrap();
        writer.finish().unwrap();
        let name = |text: &str| text.parse::<BufferName>().unwrap();
        let pipes = dir.path().join("pipes");
        fs::create_dir(&pipes).unwrap();
        let names = ["from", "to", "left"].map(name);
        make(&pipes, &names).unwrap();
        // A container may be restarted.
        make(&pipes, &names).unwrap();
        let outputs = vec![(name("to"), to), (name("left"), left)];
        let served = ServedPipes { dir: pipes, inputs: vec![(name("from"), from)], outputs };
        Service { dir, store: store.clone(), pipes: Arc::new(served) }
    }

    fn states(service: &Service) -> Vec<State> {
        let buffers = Buffers::new(&service.store);
        service.pipes.outputs.iter().map(|(_, id)| buffers.get(id).unwrap().state).collect()
    }

    #[test]
    fn outputs_are_complete_once_the_command_has_succeeded() {
        let service = service(b"bytes");
        let (cancel, pipes) = (Cancel::new().unwrap(), service.pipes.clone());
        thread::scope(|scope| {
            let serving = scope.spawn(|| pipes.serve(&service.store, &cancel, 0));
            let read = fs::read(pipes.dir.join("from")).unwrap();
            fs::write(pipes.dir.join("to"), read).unwrap();
            end(&pipes.dir).unwrap();
            serving.join().unwrap().unwrap();
        });
        let mut read = Vec::new();
        let unwritten = wake_buffer::Unwritten::Refuse;
        let id = &pipes.outputs[0].1;
        Buffers::new(&service.store).read(id, unwritten, &mut read, 0, &|| false).unwrap();
        assert_eq!(read, b"bytes");
        // An output that was not opened is empty.
        assert!(states(&service).iter().all(|state| matches!(state, State::Complete(_))));
        drop(service.dir);
    }

    #[test]
    fn outputs_fail_if_success_is_not_reported() {
        let service = service(b"bytes");
        let (cancel, pipes) = (Cancel::new().unwrap(), service.pipes.clone());
        thread::scope(|scope| {
            let serving = scope.spawn(|| pipes.serve(&service.store, &cancel, 0));
            fs::write(pipes.dir.join("to"), "part").unwrap();
            cancel.cancel();
            assert!(matches!(serving.join().unwrap(), Err(ServeError::NotSucceeded)));
        });
        assert!(states(&service).iter().all(|state| matches!(state, State::Failed(_))));
    }

    #[test]
    fn outputs_fail_if_a_stream_breaks_off() {
        let service = service(b"bytes");
        fs::remove_dir_all(service.dir.path().join("store/blob")).unwrap();
        let (cancel, pipes) = (Cancel::new().unwrap(), service.pipes.clone());
        thread::scope(|scope| {
            let serving = scope.spawn(|| pipes.serve(&service.store, &cancel, 0));
            assert_eq!(fs::read(pipes.dir.join("from")).unwrap(), b"");
            let told = end(&pipes.dir).unwrap_err().to_string();
            assert!(told.contains("is missing or damaged"), "{told}");
            assert!(serving.join().unwrap().is_err());
        });
        assert!(states(&service).iter().all(|state| matches!(state, State::Failed(_))));
    }
}
