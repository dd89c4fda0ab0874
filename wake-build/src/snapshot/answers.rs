//! What a walk asks of each file and directory, answered where it lies, without taking records apart.

use super::delta::at;
use super::file::Snapshot;
use super::format::Section;
use super::signature::Packed;
use super::table::{Content, DirRecord, FileRecord};

impl Snapshot {
    /// The path of a directory.
    pub(super) fn dir_path(&self, dir: usize) -> Option<&str> {
        self.text(self.table::<DirRecord>(Section::Dirs).text(dir)?)
    }

    /// The name of a file in its directory.
    pub(super) fn file_name(&self, file: usize) -> Option<&[u8]> {
        self.bytes_at(self.table::<FileRecord>(Section::Files).text(file)?)
    }

    /// Whether this signature of a directory proves that the directory holds what it held.
    pub(super) fn proves_dir(&self, dir: usize, now: &Packed) -> bool {
        self.dir_proof(dir).is_some_and(|proof| proof == now.as_bytes())
    }

    /// Whether this signature of a file proves that the file is what it was.
    pub(super) fn proves_file(&self, file: usize, now: &Packed) -> bool {
        self.file_proof(file).is_some_and(|proof| proof == now.as_bytes())
    }

    /// What a file held.
    pub(super) fn content(&self, file: usize) -> Option<Content> {
        match at(&self.overlay.files, file) {
            Some(FileRecord { kind, is_source, blob, .. }) => {
                Some(Content { kind: *kind, is_source: *is_source, blob: *blob })
            }
            None => self.table::<FileRecord>(Section::Files).content(file),
        }
    }

    /// The bytes of the signature of a directory that is proof; those of [`Packed::NONE`] say that there is none.
    pub(super) fn dir_proof(&self, dir: usize) -> Option<&[u8]> {
        match (at(&self.overlay.dir_proofs, dir), &self.proofs) {
            (Some(proof), _) => Some(proof.as_bytes()),
            (None, Some(proofs)) => Some(proofs.dir(dir)),
            (None, None) => self.table::<DirRecord>(Section::Dirs).proof(dir),
        }
    }

    /// The bytes of the signature of a file that is proof, like [`Snapshot::dir_proof`].
    pub(super) fn file_proof(&self, file: usize) -> Option<&[u8]> {
        match (at(&self.overlay.file_proofs, file), &self.proofs) {
            (Some(proof), _) => Some(proof.as_bytes()),
            (None, Some(proofs)) => Some(proofs.file(file)),
            (None, None) => self.table::<FileRecord>(Section::Files).proof(file),
        }
    }
}
