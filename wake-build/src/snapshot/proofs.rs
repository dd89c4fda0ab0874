//! Signature proofs for a snapshot that was taken elsewhere: a file beside it that replaces the proofs in its tables.
//!
//! A checkout that starts from the snapshot of another one does not have to write all of it anew.

use std::io;

use memmap2::Mmap;
use wake_store::ConfinedPath;

use super::signature::Proof;

const HEAD: &[u8; 16] = b"wake proofs 1\n\n\n";
/// The size of the fixed part: head, checksum of the rest, checksum of the snapshot.
const FIXED: usize = 16 + 32 + 32;

/// The proofs of all directories, files and result links, by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    pub(super) dirs: Vec<ProofBytes>,
    pub(super) files: Vec<ProofBytes>,
    pub(super) links: Vec<ProofBytes>,
}

/// The bytes of a [`Proof`].
pub(super) type ProofBytes = [u8; Proof::SIZE];

/// The file of proofs, mapped.
#[derive(Debug)]
pub(super) struct Proofs {
    bytes: Mmap,
    /// Where the proofs of files and of links begin.
    files: usize,
    links: usize,
}

impl Proofs {
    /// Maps the proofs beside the snapshot at `snapshot`, which has the checksum `base` and these numbers of directories, files and
    /// results; none if they are incomplete or for another snapshot.
    pub(super) fn read(
        snapshot: &ConfinedPath,
        base: &[u8; 32],
        counts: [usize; 3],
    ) -> Option<Proofs> {
        let file = place(snapshot).open().ok()?;
        // SAFETY: like the snapshot itself, replaced by renaming and never changed in place.
        let bytes = unsafe { Mmap::map(&file) }.ok()?;
        let covered = bytes.strip_prefix(HEAD)?.get(32..)?;
        let [dirs, files, links] = counts.map(|count| count * Proof::SIZE);
        (bytes.len() == FIXED + dirs + files + links).then_some(())?;
        covered.starts_with(base).then_some(())?;
        let checksum = blake3::Hasher::new().update_rayon(covered).finalize();
        (bytes.get(16..48)? == checksum.as_bytes()).then_some(())?;
        Some(Proofs { bytes, files: FIXED + dirs, links: FIXED + dirs + files })
    }

    /// Returns the state that the frames of a delta continue.
    pub(super) fn state(&self) -> Option<[u8; 32]> {
        self.bytes.get(16..48)?.try_into().ok()
    }

    /// Returns the proof of a directory.
    pub(super) fn dir(&self, number: usize) -> &[u8] {
        self.at(FIXED, number)
    }

    /// Returns the proof of a file.
    pub(super) fn file(&self, number: usize) -> &[u8] {
        self.at(self.files, number)
    }

    /// Returns the proof of a result link.
    pub(super) fn link(&self, number: usize) -> &[u8] {
        self.at(self.links, number)
    }

    fn at(&self, start: usize, number: usize) -> &[u8] {
        let start = start + number * Proof::SIZE;
        self.bytes.get(start..start + Proof::SIZE).unwrap_or_default()
    }
}

impl Table {
    /// Writes the proofs beside the snapshot at `snapshot`, which has the checksum `base`; returns the state that a delta
    /// continues.
    pub(super) fn write(&self, snapshot: &ConfinedPath, base: &[u8; 32]) -> io::Result<[u8; 32]> {
        let Table { dirs, files, links } = self;
        let [dirs, files, links] = [dirs, files, links].map(|proofs| proofs.as_flattened());
        let mut hasher = blake3::Hasher::new();
        for part in [base, dirs, files, links] {
            hasher.update_rayon(part);
        }
        let checksum = hasher.finalize();
        let parts = [HEAD.as_slice(), checksum.as_bytes(), base.as_slice(), dirs, files, links];
        place(snapshot).replace_by(&parts)?;
        Ok(*checksum.as_bytes())
    }
}

/// Returns the path of the proofs for the snapshot at `snapshot`.
pub(super) fn place(snapshot: &ConfinedPath) -> ConfinedPath {
    snapshot.beside(".proofs")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::files::Signature;

    const BASE: [u8; 32] = [7; 32];
    const COUNTS: [usize; 3] = [2, 3, 1];

    fn proof(size: u64) -> Proof {
        Signature { size, mtime: -5, ctime: 1 << 60, ..Signature::default() }.into()
    }

    fn table() -> Table {
        let [dirs, files, links] = [vec![1, 2], vec![3, 4, 5], vec![6]]
            .map(|sizes: Vec<u64>| sizes.into_iter().map(|size| *proof(size).as_bytes()).collect());
        Table { dirs, files, links }
    }

    #[test]
    fn each_proof_is_read_back_under_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = ConfinedPath::top(dir.path()).unwrap().join("snapshot");
        assert!(Proofs::read(&snapshot, &BASE, COUNTS).is_none());
        let state = table().write(&snapshot, &BASE).unwrap();
        let proofs = Proofs::read(&snapshot, &BASE, COUNTS).unwrap();
        assert_eq!(proofs.state(), Some(state));
        let read = |number| {
            let (dir, file, link) = (proofs.dir(number), proofs.file(number), proofs.link(0));
            (Proof::read(dir), Proof::read(file), Proof::read(link))
        };
        assert_eq!(read(0), (proof(1), proof(3), proof(6)));
        assert_eq!(read(1), (proof(2), proof(4), proof(6)));
    }

    #[test]
    fn foreign_truncated_and_altered_proofs_are_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = ConfinedPath::top(dir.path()).unwrap().join("snapshot");
        table().write(&snapshot, &BASE).unwrap();
        assert!(Proofs::read(&snapshot, &[8; 32], COUNTS).is_none());
        assert!(Proofs::read(&snapshot, &BASE, [2, 3, 2]).is_none());
        let whole = std::fs::read(place(&snapshot).path()).unwrap();
        for at in 0..whole.len() {
            std::fs::write(place(&snapshot).path(), &whole[..at]).unwrap();
            assert!(Proofs::read(&snapshot, &BASE, COUNTS).is_none(), "{at}");
            let mut altered = whole.clone();
            altered[at] ^= 1;
            std::fs::write(place(&snapshot).path(), altered).unwrap();
            assert!(Proofs::read(&snapshot, &BASE, COUNTS).is_none(), "{at}");
        }
    }
}
