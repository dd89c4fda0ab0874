//! Interrupted downloads: the received part is kept, so that it need not be transferred again.
//!
//! Nothing here is trusted: whoever completes a file from these bytes verifies its digest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use crate::error::{At, StoreError, optional};
use crate::listing::children;
use crate::open::Store;
use crate::removal::make_dir_all;

const HEAD: &str = "wake-part 1 ";
/// The directory of such files within that of an address.
const DIR: &str = "part";
/// The maximum length of the first line.
const LONGEST_HEAD: usize = 4096;

/// The beginning of a file, to which only this process appends while this exists.
#[derive(Debug)]
pub struct Partial {
    place: PathBuf,
    file: File,
    tag: String,
    /// The length of the first line.
    head: u64,
    length: u64,
}

impl Store {
    /// Opens the received part of the file `name` at `address`; none if there is none, or if another process appends to
    /// it.
    pub fn partial(&self, address: &str, name: &str) -> Result<Option<Partial>, StoreError> {
        let place = self.seen_dir(address).join(DIR).join(name);
        let file = OpenOptions::new().read(true).write(true).open(&place).at(&place);
        match optional(file)? {
            Some(file) => Partial::locked(place, file),
            None => Ok(None),
        }
    }

    /// Starts keeping the file `name` at `address`, whose ETag is `tag`; none while another process appends to it.
    pub fn begin_partial(
        &self,
        address: &str,
        name: &str,
        tag: &str,
    ) -> Result<Option<Partial>, StoreError> {
        let dir = self.seen_dir(address).join(DIR);
        make_dir_all(&dir)?;
        let place = dir.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&place).at(&place)?;
        let Some(mut partial) = Partial::locked(place, file)? else { return Ok(None) };
        partial.begin(tag).at(&partial.place)?;
        Ok(Some(partial))
    }

    /// Deletes all that nobody appends to.
    pub(crate) fn drop_partials(&self) -> Result<(), StoreError> {
        let registries = &self.layout().registries;
        for address in children(registries)? {
            for place in children(&address.join(DIR))? {
                let Some(file) = optional(File::open(&place).at(&place))? else { continue };
                if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                    optional(fs::remove_file(&place).at(&place))?;
                }
            }
        }
        Ok(())
    }
}

impl Partial {
    fn locked(place: PathBuf, file: File) -> Result<Option<Partial>, StoreError> {
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let mut partial = Partial { place, file, tag: String::new(), head: 0, length: 0 };
        partial.look().at(&partial.place)?;
        Ok(Some(partial))
    }

    /// Returns the server's ETag of the file of which this is the beginning.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads from the offset `at`.
    pub fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, self.head + at)
    }

    /// Starts over, with a file whose ETag is `tag`.
    fn begin(&mut self, tag: &str) -> io::Result<()> {
        let head = format!("{HEAD}{tag}\n");
        self.length = 0;
        self.file.set_len(0)?;
        self.file.write_all_at(head.as_bytes(), 0)?;
        (self.tag, self.head) = (tag.to_owned(), head.len() as u64);
        Ok(())
    }

    /// Appends the next bytes.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.head + self.length)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Deletes it: the file is complete, or of no use.
    pub fn drop_it(self) {
        // A remainder is started over next time.
        let _ = self.file.set_len(0);
        let _ = fs::remove_file(&self.place);
    }

    fn look(&mut self) -> io::Result<()> {
        let mut start = Vec::new();
        Read::by_ref(&mut self.file).take(LONGEST_HEAD as u64).read_to_end(&mut start)?;
        let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let tag = std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(HEAD));
        match tag {
            Some(tag) if line.len() < start.len() => {
                (self.tag, self.head) = (tag.to_owned(), line.len() as u64 + 1);
                self.length = self.file.metadata()?.len().saturating_sub(self.head);
                Ok(())
            }
            _ => self.begin(""),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(partial: &Partial) -> String {
        let mut bytes = vec![0; partial.len() as usize];
        assert_eq!(partial.read_at(0, &mut bytes).unwrap(), bytes.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn received_bytes_are_kept_for_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let open = || store.partial("https://a", "x").unwrap();
        let begin = |tag| store.begin_partial("https://a", "x", tag).unwrap();
        assert!(open().is_none());
        let mut partial = begin("\"1\"").unwrap();
        partial.add(b"abc").unwrap();
        // Nobody else appends to it meanwhile.
        assert!(open().is_none() && begin("\"9\"").is_none());
        store.drop_partials().unwrap();
        drop(partial);
        let mut partial = open().unwrap();
        assert_eq!((partial.tag(), &*text(&partial)), ("\"1\"", "abc"));
        partial.add(b"d").unwrap();
        assert_eq!(text(&partial), "abcd");
        drop(partial);
        let mut partial = begin("\"2\"").unwrap();
        partial.add(b"e").unwrap();
        drop(partial);
        assert_eq!(text(&open().unwrap()), "e");
        open().unwrap().drop_it();
        assert!(open().is_none());
        drop(begin("\"3\""));
        store.drop_partials().unwrap();
        assert!(open().is_none());
    }

    #[test]
    fn an_invalid_partial_file_starts_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        drop(store.begin_partial("https://a", "x", "t").unwrap());
        let place = store.seen_dir("https://a").join(DIR).join("x");
        for bytes in [&b""[..], b"wake-part 2 \nx", b"wake-part 1 \"a\"", b"\xff\n"] {
            fs::write(&place, bytes).unwrap();
            let partial = store.partial("https://a", "x").unwrap().unwrap();
            assert!(partial.is_empty() && partial.tag().is_empty(), "{bytes:?}");
        }
    }
}
