//! The buffers of a store: creating, finding, tagging, deleting.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use wake_model::{BufferId, Lifetime, Tags};
use wake_store::{Store, StoreError, StreamReader};

use crate::about::{About, End, State};
use crate::error::BufferError;

const ABOUT: &str = "about.json";
const END: &str = "end.json";
/// The end of its writing, if another process confirms that it is complete.
const LEFT: &str = "left.json";

/// The buffers of a store. Wherever `now` is a parameter, it is in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Buffers<'s> {
    pub(crate) store: &'s Store,
}

/// The current state of a buffer.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// Its id.
    pub id: BufferId,
    /// When it was created.
    pub created: u64,
    /// Its tags.
    pub tags: Tags,
    /// When it expires.
    pub expires: Option<u64>,
    /// When it was deleted; it can be restored.
    pub deleted: Option<u64>,
    /// Its state.
    pub state: State,
    /// The number of blocks stored.
    pub blocks: u64,
    /// The number of bytes stored.
    pub size: u64,
}

/// A filter for buffers.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Tags that they must all have.
    pub tags: Tags,
    /// Tags none of which they may have.
    pub without: Tags,
    /// Whether to select deleted buffers instead of the others.
    pub deleted: bool,
}

/// A change to a buffer; absent properties are left as they are.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Whether all tags are removed first.
    pub clear_tags: bool,
    /// Tags to remove.
    pub without: Vec<String>,
    /// Tags to set.
    pub tags: Vec<(String, String)>,
    /// The lifetime from now on; an inner none for unlimited.
    pub lifetime: Option<Option<Lifetime>>,
}

impl Buffer {
    /// Whether it has expired.
    pub fn has_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl<'s> Buffers<'s> {
    /// The buffers of `store`.
    pub fn new(store: &'s Store) -> Self {
        Buffers { store }
    }

    /// Creates an unwritten buffer.
    pub fn create(
        &self,
        tags: &Tags,
        lifetime: Option<Lifetime>,
        now: u64,
    ) -> Result<BufferId, BufferError> {
        let id = self.fresh_id()?;
        let expires = lifetime.map(|lifetime| until(lifetime, now));
        let about = About { created: now, tags: tags.clone(), expires, deleted: None };
        self.keep(&self.dir(&id).join(ABOUT), &about)?;
        Ok(id)
    }

    /// Returns a buffer, even if it is deleted or has expired.
    pub fn get(&self, id: &BufferId) -> Result<Buffer, BufferError> {
        let About { created, tags, expires, deleted } = self.about(id)?;
        let (state, blocks, size) = self.state(id)?;
        Ok(Buffer { id: id.clone(), created, tags, expires, deleted, state, blocks, size })
    }

    /// Returns a buffer that can be read or written.
    pub fn live(&self, id: &BufferId, now: u64) -> Result<Buffer, BufferError> {
        let buffer = self.get(id)?;
        if buffer.deleted.is_some() {
            return Err(BufferError::Deleted(id.clone()));
        }
        match buffer.has_expired(now) {
            true => Err(BufferError::Expired(id.clone())),
            false => Ok(buffer),
        }
    }

    /// Lists the buffers that match, the latest first; an expired one counts as deleted.
    pub fn list(&self, wanted: &Wanted, now: u64) -> Result<Vec<Buffer>, BufferError> {
        let mut all = Vec::new();
        for id in self.ids()? {
            let buffer = match self.get(&id) {
                // It may have just been removed, or is just being created.
                Err(BufferError::NotFound(_)) => continue,
                buffer => buffer?,
            };
            let is_deleted = buffer.deleted.is_some() || buffer.has_expired(now);
            let unwanted =
                wanted.without.iter().any(|(key, value)| buffer.tags.get(key) == Some(value));
            if is_deleted == wanted.deleted && buffer.tags.has_all(&wanted.tags) && !unwanted {
                all.push(buffer);
            }
        }
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// Changes tags and lifetime.
    pub fn change(&self, id: &BufferId, change: &Change, now: u64) -> Result<(), BufferError> {
        self.live(id, now)?;
        self.edit(id, |about| {
            if change.clear_tags {
                about.tags = Tags::default();
            }
            change.without.iter().for_each(|key| about.tags.remove(key));
            for (key, value) in &change.tags {
                about.tags.set(key, value)?;
            }
            if let Some(lifetime) = change.lifetime {
                about.expires = lifetime.map(|lifetime| until(lifetime, now));
            }
            Ok(())
        })
    }

    /// Deletes a buffer, which can still be restored.
    pub fn delete(&self, id: &BufferId, now: u64) -> Result<(), BufferError> {
        self.edit(id, |about| {
            about.deleted.get_or_insert(now);
            Ok(())
        })
    }

    /// Restores a deleted buffer; one that has expired no longer expires.
    pub fn restore(&self, id: &BufferId, now: u64) -> Result<(), BufferError> {
        self.edit(id, |about| {
            about.deleted = None;
            about.expires = about.expires.filter(|&expires| expires > now);
            Ok(())
        })
    }

    /// Removes a buffer permanently, unless it is being written.
    pub fn purge(&self, id: &BufferId) -> Result<(), BufferError> {
        if self.get(id)?.state == State::Writing {
            return Err(BufferError::BeingWritten(id.clone()));
        }
        Ok(self.store.drop_dir(&self.dir(id))?)
    }

    /// Permanently removes the buffers that are deleted or have expired, and returns their number.
    pub fn purge_deleted(&self, now: u64) -> Result<usize, BufferError> {
        let doomed = self.list(&Wanted { deleted: true, ..Wanted::default() }, now)?;
        for buffer in &doomed {
            if buffer.state != State::Writing {
                self.store.drop_dir(&self.dir(&buffer.id))?;
            }
        }
        Ok(doomed.len())
    }

    /// Completes a buffer that its writer has left undecided, or fails it if there is a reason.
    pub fn settle(&self, id: &BufferId, failed: Option<&str>) -> Result<(), BufferError> {
        let (Some(left), None) = (self.left(id)?, self.end(id)?) else { return Ok(()) };
        let failed = failed.map(|reason| End::Failed { reason: reason.to_owned() });
        self.keep_end(id, &failed.unwrap_or(left))
    }

    pub(crate) fn dir(&self, id: &BufferId) -> PathBuf {
        self.store.buffers_dir().join(id.as_str())
    }

    pub(crate) fn stream(&self, id: &BufferId) -> Result<Option<StreamReader>, BufferError> {
        Ok(self.store.stream(&self.dir(id))?)
    }

    /// Returns how its writing ended, if it has.
    pub(crate) fn end(&self, id: &BufferId) -> Result<Option<End>, BufferError> {
        read_end(self.dir(id).join(END))
    }

    /// Returns the end that its writer has left for another process to confirm.
    pub(crate) fn left(&self, id: &BufferId) -> Result<Option<End>, BufferError> {
        read_end(self.dir(id).join(LEFT))
    }

    pub(crate) fn keep_left(&self, id: &BufferId, end: &End) -> Result<(), BufferError> {
        self.keep(&self.dir(id).join(LEFT), end)
    }

    pub(crate) fn keep_end(&self, id: &BufferId, end: &End) -> Result<(), BufferError> {
        self.keep(&self.dir(id).join(END), end)
    }

    fn state(&self, id: &BufferId) -> Result<(State, u64, u64), BufferError> {
        let Some(mut stream) = self.stream(id)? else { return Ok((State::Unwritten, 0, 0)) };
        // In this order: a writer records the end before it releases its lock.
        let is_being_written = stream.is_being_written();
        let end = self.end(id)?;
        let (mut blocks, mut size) = (0, 0);
        while let Some(block) = stream.next_block()? {
            blocks += 1;
            size += block.size;
        }
        let state = match (end, is_being_written) {
            (Some(end), _) => end.into(),
            (None, true) => State::Writing,
            (None, false) => match self.left(id)? {
                Some(_) => State::Writing,
                None => State::BrokenOff,
            },
        };
        Ok((state, blocks, size))
    }

    fn about(&self, id: &BufferId) -> Result<About, BufferError> {
        let path = self.dir(id).join(ABOUT);
        let bytes = read(&path)?.ok_or_else(|| BufferError::NotFound(id.clone()))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| BufferError::About { path, problem: error.to_string() })
    }

    /// Changes the metadata of a buffer under a lock.
    fn edit(
        &self,
        id: &BufferId,
        change: impl FnOnce(&mut About) -> Result<(), BufferError>,
    ) -> Result<(), BufferError> {
        let dir = self.dir(id);
        let lock = match File::open(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BufferError::NotFound(id.clone()));
            }
            lock => lock.map_err(|source| BufferError::Io { path: dir.clone(), source })?,
        };
        rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))
            .map_err(|error| BufferError::Io { path: dir.clone(), source: error.into() })?;
        let mut about = self.about(id)?;
        change(&mut about)?;
        self.keep(&dir.join(ABOUT), &about)
    }

    fn keep(&self, path: &Path, value: &impl serde::Serialize) -> Result<(), BufferError> {
        let problem = |error: serde_json::Error| BufferError::About {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        let bytes = serde_json::to_vec(value).map_err(problem)?;
        Ok(self.store.keep_file(path, &bytes)?)
    }

    fn ids(&self) -> Result<Vec<BufferId>, BufferError> {
        let dir = self.store.buffers_dir();
        let failed = |source| BufferError::Io { path: dir.clone(), source };
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            ids.extend(name.to_str().and_then(|name| name.parse().ok()));
        }
        Ok(ids)
    }

    fn fresh_id(&self) -> Result<BufferId, BufferError> {
        let mut bytes = [0; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            let rest = &mut bytes[filled..];
            let more = rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty());
            filled += more.map_err(|error| BufferError::Io {
                path: "/dev/random".into(),
                source: error.into(),
            })?;
        }
        Ok(BufferId::from_bytes(bytes))
    }
}

fn until(lifetime: Lifetime, now: u64) -> u64 {
    now.saturating_add(lifetime.seconds.saturating_mul(1000))
}

fn read_end(path: PathBuf) -> Result<Option<End>, BufferError> {
    let Some(bytes) = read(&path)? else { return Ok(None) };
    let end = serde_json::from_slice(&bytes);
    end.map(Some).map_err(|error| BufferError::About { path, problem: error.to_string() })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, BufferError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }.into()),
        Ok(bytes) => Ok(Some(bytes)),
    }
}
