//! The registry lock: one wake process at a time, and no refgenie meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::{AssetError, At};
use crate::folders::Folders;

/// The polling interval while waiting for refgenie, and the number of attempts.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSES: u64 = 1200;
/// The content of wake's lock files. refgenie's are empty.
const MARK: &[u8] = b"wake\n";

/// The registry lock, released on drop or when the process ends.
#[derive(Debug)]
pub(crate) struct Hold {
    _lock: File,
    mark: PathBuf,
}

impl Hold {
    /// Waits for the lock.
    pub(crate) fn wait(folders: &Folders, config: &Path) -> Result<Hold, AssetError> {
        let own = folders.own();
        fs::create_dir_all(&own).at(&own)?;
        let place = own.join("lock");
        let mut options = OpenOptions::new();
        let lock =
            options.read(true).write(true).create(true).truncate(false).open(&place).at(&place)?;
        flock(&lock, FlockOperation::LockExclusive).at(&place)?;
        let mark = keep_refgenie_out(config)?;
        Ok(Hold { _lock: lock, mark })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // The next wake process recognises a leftover lock file.
        let _ = fs::remove_file(&self.mark);
    }
}

/// Creates refgenie's write lock file, which stops its readers and writers, using refgenie's own protocol: under the universal lock.
/// The caller holds wake's lock, so a lock file of another wake process was left by one that was killed.
fn keep_refgenie_out(config: &Path) -> Result<PathBuf, AssetError> {
    let named = |kind: &str| {
        let name = config.file_name().unwrap_or_default().to_string_lossy();
        config.with_file_name(format!("lock-{kind}-{name}"))
    };
    let (universal, write) = (named("universal"), named("write"));
    put_mark(&universal)?;
    let put = wait_for_readers(config).and_then(|()| put_mark(&write));
    fs::remove_file(&universal).at(&universal)?;
    put.map(|()| write)
}

/// Creates a lock file atomically with its content: an empty one would look like refgenie's.
fn put_mark(place: &Path) -> Result<(), AssetError> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let draft = place.with_file_name(format!(".{name}.new"));
    fs::write(&draft, MARK).at(&draft)?;
    let put = link_mark(&draft, place);
    fs::remove_file(&draft).at(&draft)?;
    put
}

fn link_mark(draft: &Path, place: &Path) -> Result<(), AssetError> {
    for _ in 0..PAUSES {
        match fs::hard_link(draft, place) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_ours = fs::read(place).is_ok_and(|bytes| bytes == MARK);
                match is_ours {
                    true => drop(fs::remove_file(place)),
                    false => sleep(PAUSE),
                }
            }
            Err(error) => return Err(error).at(place),
        }
    }
    Err(held(place))
}

fn wait_for_readers(config: &Path) -> Result<(), AssetError> {
    let dir = config.parent().unwrap_or(Path::new("/"));
    let name = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut seen = None;
    for _ in 0..PAUSES {
        let reading = |entry: &fs::DirEntry| {
            let entry = entry.file_name().to_string_lossy().into_owned();
            entry.starts_with("lock-read-") && entry.ends_with(&name)
        };
        let entries = fs::read_dir(dir).at(dir)?;
        seen = entries.filter_map(Result::ok).find(reading).map(|entry| entry.path());
        if seen.is_none() {
            return Ok(());
        }
        sleep(PAUSE);
    }
    Err(held(&seen.unwrap_or_default()))
}

fn held(place: &Path) -> AssetError {
    let seconds = PAUSE.as_millis() as u64 * PAUSES / 1000;
    AssetError::Held { path: place.to_owned(), seconds }
}
