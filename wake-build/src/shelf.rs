//! Spools data that is needed later, in a file without a name, because together it is large.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use wake_store::ConfinedPath;

/// How many bytes are held before they are written.
const HELD: usize = 256 << 10;

/// A spool of pieces of data.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// The directory of the file.
    dir: ConfinedPath,
    /// Created when there is enough to write.
    file: OnceLock<File>,
    held: Mutex<ShelfBuffer>,
}

/// The data that is not in the file.
#[derive(Debug, Default)]
struct ShelfBuffer {
    /// The size of the file.
    start: u64,
    bytes: Vec<u8>,
    /// Whether writing to the file failed: then everything else stays in memory.
    is_stuck: bool,
}

/// A spooled piece.
#[derive(Clone, Debug)]
pub(crate) struct ShelfEntry {
    shelf: Arc<Shelf>,
    at: u64,
    length: usize,
}

impl Shelf {
    /// Creates an empty spool, with its file in `dir`.
    pub(crate) fn new(dir: ConfinedPath) -> Arc<Shelf> {
        Arc::new(Shelf { dir, file: OnceLock::new(), held: Mutex::default() })
    }

    /// Spools a piece.
    pub(crate) fn put(self: &Arc<Shelf>, piece: &[u8]) -> ShelfEntry {
        let mut held = self.held();
        let at = held.start + held.bytes.len() as u64;
        held.bytes.extend_from_slice(piece);
        if held.bytes.len() >= HELD && !held.is_stuck {
            match self.write(&held) {
                Some(()) => {
                    held.start += held.bytes.len() as u64;
                    held.bytes.clear();
                }
                None => held.is_stuck = true,
            }
        }
        ShelfEntry { shelf: self.clone(), at, length: piece.len() }
    }

    fn write(&self, held: &ShelfBuffer) -> Option<()> {
        if self.file.get().is_none() {
            // The caller holds the lock, so nobody else has set it.
            let _ = self.file.set(self.dir.nameless().ok()?);
        }
        self.file.get()?.write_all_at(&held.bytes, held.start).ok()
    }

    fn held(&self) -> MutexGuard<'_, ShelfBuffer> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShelfEntry {
    /// Returns its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Reads it into `bytes`; none if the file cannot be read.
    pub(crate) fn read<'b>(&self, bytes: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        bytes.clear();
        let held = self.shelf.held();
        match self.at.checked_sub(held.start) {
            Some(from) => {
                let from = usize::try_from(from).ok()?;
                bytes.extend_from_slice(held.bytes.get(from..from + self.length)?);
            }
            None => {
                drop(held);
                bytes.resize(self.length, 0);
                self.shelf.file.get()?.read_exact_at(bytes, self.at).ok()?;
            }
        }
        Some(bytes)
    }

    /// Reads it as text; none if the file cannot be read.
    pub(crate) fn text(&self) -> Option<String> {
        let mut bytes = Vec::new();
        self.read(&mut bytes)?;
        String::from_utf8(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pieces_are_read_back_from_memory_and_disk() {
        let scene = tempfile::tempdir().unwrap();
        std::fs::write(scene.path().join("file"), "").unwrap();
        let top = ConfinedPath::top(scene.path()).unwrap();
        for dir in [top.clone(), top.join("file")] {
            let shelf = Shelf::new(dir);
            let texts: Vec<String> =
                (0..200).map(|number| format!("é{number}").repeat(number * 7)).collect();
            let put: Vec<ShelfEntry> =
                texts.iter().map(|text| shelf.put(text.as_bytes())).collect();
            assert!(texts.iter().map(String::len).sum::<usize>() > 2 * HELD);
            for (shelved, text) in put.iter().zip(&texts) {
                assert_eq!(shelved.text().as_ref(), Some(text));
                assert_eq!(shelved.len(), text.len());
            }
        }
        // The file has no name.
        assert_eq!(std::fs::read_dir(scene.path()).unwrap().count(), 1);
    }
}
