//! An archive that comes from elsewhere, and goes on where it broke off.

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

/// How often an archive may break off with nothing between.
const BREAKS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// What is known of an archive before it comes.
pub(super) struct Expected<'a> {
    /// What people call it.
    pub(super) what: String,
    /// What people call where it comes from.
    pub(super) title: String,
    /// Where it comes from, for messages.
    pub(super) place: String,
    /// Its file, as long as it is not whole.
    pub(super) partial: PathBuf,
    /// Its bytes, where they are known; else what the answer says.
    pub(super) size: Option<u64>,
    pub(super) md5: &'a str,
    /// Its SHA-256, where that is known.
    pub(super) sha256: Option<&'a str>,
}

/// An archive that came, as long as it is of use.
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    _held: File,
}

impl Fetched {
    pub(super) fn drop_it(self) {
        // What is left is as good as new.
        let _ = fs::remove_file(&self.path);
    }
}

/// Has an archive come; `ask` has it begin behind so many bytes, if it is there.
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
            // Nothing of it is of use: the next time all of it comes.
            fetched.drop_it();
            Err(error)
        }
    }
}

impl Expected<'_> {
    /// In what an archive differs that came.
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

/// Writes down what comes, up to the size that there is to be.
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
    // One byte more than there may be shows that there are more.
    let most = size.map_or(u64::MAX, |size| (size + 1).saturating_sub(at));
    let mut bytes = incoming.bytes.take(most);
    let mut buffer = vec![0; 256 << 10];
    loop {
        if meter.is_stopped() {
            return Err(Broken::Stopped);
        }
        match bytes.read(&mut buffer) {
            Ok(0) if size.is_some_and(|size| at < size) => {
                return Err(Broken::There("it broke off".to_owned()));
            }
            Ok(0) => return Ok(()),
            Ok(length) => {
                file.write_all(&buffer[..length]).map_err(Broken::Here)?;
                at += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted && !meter.is_stopped() => {}
            Err(_) if meter.is_stopped() => return Err(Broken::Stopped),
            Err(error) => return Err(Broken::There(format!("it broke off: {error}"))),
        }
    }
}
