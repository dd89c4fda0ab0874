//! Downloads an archive, resuming after interruptions.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use wake_store::ware::{Meter, pause};

use super::not_there;
use crate::archive::{self, ArchiveSum};
use crate::error::{AssetError, At};
use crate::incoming::Incoming;

/// The most interruptions in a row without progress.
const BREAKS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// What is known of an archive before it is downloaded.
pub(super) struct Expected<'a> {
    /// Its name for messages.
    pub(super) what: String,
    /// The name of its origin for messages.
    pub(super) title: String,
    /// Its location, for messages.
    pub(super) place: String,
    /// The file of the partial download.
    pub(super) partial: PathBuf,
    /// Its size in bytes, if known; else the response's.
    pub(super) size: Option<u64>,
    pub(super) md5: &'a str,
    /// Its SHA-256, if known.
    pub(super) sha256: Option<&'a str>,
}

/// A downloaded archive, locked while in use.
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    _held: File,
}

impl Fetched {
    pub(super) fn drop_it(self) {
        // A leftover file is still valid.
        let _ = fs::remove_file(&self.path);
    }
}

/// Downloads an archive; `ask` requests it from an offset, if it exists.
pub(super) fn fetch(
    expected: Expected<'_>,
    meter: &Meter,
    ask: impl Fn(u64) -> Result<Option<Incoming>, AssetError>,
) -> Result<Fetched, AssetError> {
    let path = &expected.partial;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).at(dir)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options.read(true).create(true).append(true).open(path).at(path)?;
    flock(&file, FlockOperation::LockExclusive).at(path)?;
    let (mut breaks, mut size) = (0, expected.size);
    loop {
        let before = file.metadata().at(path)?.len();
        if size.is_some_and(|size| before >= size) {
            break;
        }
        let incoming = ask(before)?;
        let Some(incoming) = incoming else {
            return Err(not_there(&expected.title, &format!("no archive of {}", expected.what)));
        };
        size = size.or(incoming.size);
        meter.expect(size);
        match take(incoming, &mut file, before, size, meter) {
            Ok(()) => break,
            Err(Broken::Here(error)) => return Err(error).at(path),
            Err(Broken::Stopped) => return Err(AssetError::Cancelled),
            Err(Broken::There(problem)) => {
                let now = file.metadata().at(path)?.len();
                breaks = if now > before { 0 } else { breaks + 1 };
                if breaks == BREAKS {
                    return Err(AssetError::Network { place: expected.place, problem });
                }
                let wait = FIRST_WAIT * 2u32.pow(breaks);
                pause(wait, meter).map_err(|_| AssetError::Cancelled)?;
            }
        }
    }
    let came = archive::sum(path)?;
    let fetched = Fetched { path: expected.partial.clone(), _held: file };
    match expected.differs(&came) {
        None => Ok(fetched),
        Some(error) => {
            // The download is useless: the next one starts from the beginning.
            fetched.drop_it();
            Err(error)
        }
    }
}

impl Expected<'_> {
    /// Returns the first mismatch of a downloaded archive.
    fn differs(&self, came: &ArchiveSum) -> Option<AssetError> {
        let differs = |what: String, expected: &str, came: &str| {
            let (expected, came) = (expected.to_owned(), came.to_owned());
            AssetError::Digest { what, expected, came }
        };
        let archive = || format!("the archive of {}", self.what);
        if let Some(sha256) = self.sha256.filter(|sha256| *sha256 != came.sha256) {
            return Some(differs(archive(), sha256, &came.sha256));
        }
        if self.md5 != came.md5 {
            return Some(differs(archive(), self.md5, &came.md5));
        }
        let size = self.size.filter(|size| *size != came.size)?;
        let what = format!("the size of the archive of {}", self.what);
        Some(differs(what, &size.to_string(), &came.size.to_string()))
    }
}

enum Broken {
    Here(io::Error),
    There(String),
    Stopped,
}

/// Writes the download to its file, up to the expected size.
fn take(
    incoming: Incoming,
    file: &mut File,
    before: u64,
    size: Option<u64>,
    meter: &Meter,
) -> Result<(), Broken> {
    let mut at = before;
    if incoming.from != before {
        file.set_len(0).map_err(Broken::Here)?;
        at = 0;
    }
    // Reading one byte more than expected reveals an excess.
    let most = size.map_or(u64::MAX, |size| (size + 1).saturating_sub(at));
    let mut bytes = incoming.bytes.take(most);
    let mut buffer = vec![0; 256 << 10];
    loop {
        if meter.is_stopped() {
            return Err(Broken::Stopped);
        }
        match bytes.read(&mut buffer) {
            Ok(0) if size.is_some_and(|size| at < size) => {
                return Err(Broken::There("the transfer was interrupted".to_owned()));
            }
            Ok(0) => return Ok(()),
            Ok(length) => {
                file.write_all(&buffer[..length]).map_err(Broken::Here)?;
                at += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted && !meter.is_stopped() => {}
            Err(_) if meter.is_stopped() => return Err(Broken::Stopped),
            Err(error) => {
                return Err(Broken::There(format!("the transfer was interrupted: {error}")));
            }
        }
    }
}
