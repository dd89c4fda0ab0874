//! What a walk asks of each file and directory, answered where it lies, without taking records apart.

use super::draft::Section;
use super::file::Snapshot;
use super::signature::Packed;
use super::table::{DirRecord, FileRecord};

impl Snapshot {
    /// The path of a directory.
    pub(super) fn dir_path(&self, dir: usize) -> Option<&str> {
        self.text(self.table::<DirRecord>(Section::Dirs).path(dir)?)
    }

    /// The name of a file in its directory.
    pub(super) fn file_name(&self, file: usize) -> Option<&[u8]> {
        self.bytes_at(self.table::<FileRecord>(Section::Files).name(file)?)
    }

    /// Whether this signature of a directory proves that the directory holds what it held.
    pub(super) fn proves_dir(&self, dir: usize, now: &Packed) -> bool {
        match self.overlay().dir(dir) {
            Some(record) => record.settled && Packed::from(record.signature) == *now,
            None => {
                let proof = self.table::<DirRecord>(Section::Dirs).proof(dir);
                proof.is_some_and(|proof| proof == now.as_bytes())
            }
        }
    }

    /// Whether this signature of a file proves that the file is what it was.
    pub(super) fn proves_file(&self, file: usize, now: &Packed) -> bool {
        match self.overlay().file(file) {
            Some(record) => record.settled && Packed::from(record.signature) == *now,
            None => {
                let proof = self.table::<FileRecord>(Section::Files).proof(file);
                proof.is_some_and(|proof| proof == now.as_bytes())
            }
        }
    }
}
