//! What a build looked at, as fixed-size records that are read in place.

use std::io::Write;

use serde::{Deserialize, Serialize};
use wake_model::{BlobDigest, Digest};

use super::signature::Proof;
use crate::files::Signature;
use crate::fixed::{Fixed, fixed};

/// A list of records of one size in a slice of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a, R> {
    bytes: &'a [u8],
    record: std::marker::PhantomData<R>,
}

impl<'a, R: Fixed> Table<'a, R> {
    /// Creates a table of the records in `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Table { bytes, record: std::marker::PhantomData }
    }

    /// Returns the number of records.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / R::SIZE
    }

    /// Returns the record with this number.
    pub(crate) fn get(&self, index: usize) -> Option<R> {
        R::get(&mut self.bytes(index)?)
    }

    /// Returns the place of the text that a record begins with.
    pub(super) fn text(&self, index: usize) -> Option<(u32, u32)> {
        Fixed::get(&mut self.bytes(index)?)
    }

    /// Returns the bytes of a record.
    fn bytes(&self, index: usize) -> Option<&'a [u8]> {
        let start = index.checked_mul(R::SIZE)?;
        self.bytes.get(start..start.checked_add(R::SIZE)?)
    }
}

impl<'a> Table<'a, DirRecord> {
    /// Returns the signature of a directory, if it proves the listing; otherwise that of nothing.
    pub(super) fn proof(&self, index: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes(index)?;
        Some(if bytes[16 + SIGNATURE] & DIR_SETTLED != 0 {
            &bytes[16..16 + SIGNATURE]
        } else {
            NOTHING
        })
    }
}

impl<'a> Table<'a, FileRecord> {
    /// Returns the recorded content of a file.
    pub(super) fn content(&self, index: usize) -> Option<Content> {
        let bytes = &mut self.bytes(index)?.get(8..)?;
        let (kind, is_source, _) = file_flags(u8::get(bytes)?)?;
        let blob = Fixed::get(&mut bytes.get(SIGNATURE..)?)?;
        Some(Content { kind, is_source, blob })
    }

    /// Returns the signature of a file, if it proves the content; otherwise that of nothing.
    pub(super) fn proof(&self, index: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes(index)?;
        Some(if bytes[8] & FILE_SETTLED != 0 { &bytes[9..9 + SIGNATURE] } else { NOTHING })
    }
}

/// A directory: its path, its signature, and which of its files were examined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DirRecord {
    pub(crate) path: (u32, u32),
    pub(crate) files: (u32, u32),
    pub(crate) signature: Signature,
    /// Whether an equal signature means an equal listing.
    pub(crate) settled: bool,
    /// The digest of its listing, if that was read.
    pub(crate) list: Option<BlobDigest>,
    /// The digest of its subdirectories, if it was walked for packages.
    pub(crate) walk: Option<BlobDigest>,
    /// Whether a package file in it would make it a separate package.
    pub(crate) border: bool,
}

impl DirRecord {
    /// Returns whether its listing was read.
    pub(super) fn is_listed(&self) -> bool {
        self.list.is_some() || self.walk.is_some()
    }
}

/// A path in a directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    pub(crate) name: (u32, u32),
    pub(crate) kind: FileKind,
    /// Whether functions read it: then a change requires evaluating again.
    pub(crate) is_source: bool,
    pub(crate) settled: bool,
    pub(crate) signature: Signature,
    pub(crate) blob: BlobDigest,
}

impl FileRecord {
    /// Returns the proof that it is unchanged.
    pub(super) fn proof(&self) -> Proof {
        if self.settled { self.signature.into() } else { Proof::NONE }
    }

    /// Replaces its proof.
    pub(super) fn proven(self, proof: Proof) -> FileRecord {
        match proof {
            Proof::NONE => FileRecord { settled: false, ..self },
            proof => FileRecord { settled: true, signature: proof.into(), ..self },
        }
    }
}

/// The recorded content of a file, without its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) kind: FileKind,
    pub(super) is_source: bool,
    pub(super) blob: BlobDigest,
}

/// The kind of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FileKind {
    Absent,
    File {
        executable: bool,
    },
    /// Anything else: only its signature matters.
    Other,
}

fixed! {
    /// A step that has a file among its inputs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct UserRecord {
        pub(crate) file: u32,
        pub(crate) step: u32,
    }

        /// The place of a step record with its checksum, and the edges of the step.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct StepPlace {
        pub(crate) at: u64,
        pub(crate) length: u64,
        pub(crate) checksum: u64,
                /// First edge and count of its dependencies.
        pub(crate) needs: (u32, u32),
                /// First edge and count of its dependents.
        pub(crate) dependents: (u32, u32),
                /// The number of its result plus one; zero if it has no link.
        pub(crate) result: u32,
    }

        /// A result link, with its target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct ResultRecord {
        pub(crate) link: (u32, u32),
        pub(crate) target: (u32, u32),
        pub(crate) files: (u32, u32),
                /// The signature of the link, if it proves the link's target.
        pub(crate) proof: Proof,
    }

    /// A file of a result, by its path below the result's target.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct ResultFile {
        pub(crate) path: (u32, u32),
        pub(crate) signature: Proof,
    }
}

impl Fixed for Proof {
    const SIZE: usize = SIGNATURE;

    fn put(&self, out: &mut impl Write) {
        self.as_bytes().put(out);
    }

    fn get(bytes: &mut &[u8]) -> Option<Self> {
        <[u8; SIGNATURE]>::get(bytes).map(|bytes| Proof::read(&bytes))
    }
}

const SIGNATURE: usize = Proof::SIZE;
const NOTHING: &[u8] = Proof::NONE.as_bytes();
const DIR_SETTLED: u8 = 1;
const FILE_SETTLED: u8 = 1 << 5;
/// Stands for a missing digest.
pub(super) const NO_DIGEST: BlobDigest = BlobDigest(Digest::from_bytes([0; 32]));

impl Fixed for DirRecord {
    const SIZE: usize = 8 + 8 + SIGNATURE + 1 + 32 + 32;

    fn put(&self, out: &mut impl Write) {
        let DirRecord { path, files, signature, settled, list, walk, border } = self;
        path.put(out);
        files.put(out);
        signature.put(out);
        let flags = u8::from(*settled)
            | u8::from(list.is_some()) << 1
            | u8::from(walk.is_some()) << 2
            | u8::from(*border) << 3;
        flags.put(out);
        list.unwrap_or(NO_DIGEST).put(out);
        walk.unwrap_or(NO_DIGEST).put(out);
    }

    fn get(bytes: &mut &[u8]) -> Option<Self> {
        let (path, files, signature) = (Fixed::get(bytes)?, Fixed::get(bytes)?, Fixed::get(bytes)?);
        let flags = u8::get(bytes)?;
        let (list, walk) = (BlobDigest::get(bytes)?, BlobDigest::get(bytes)?);
        Some(DirRecord {
            path,
            files,
            signature,
            settled: flags & DIR_SETTLED != 0,
            list: (flags & 2 != 0).then_some(list),
            walk: (flags & 4 != 0).then_some(walk),
            border: flags & 8 != 0,
        })
    }
}

impl Fixed for FileRecord {
    const SIZE: usize = 8 + 1 + SIGNATURE + 32;

    fn put(&self, out: &mut impl Write) {
        let FileRecord { name, kind, is_source, settled, signature, blob } = self;
        name.put(out);
        let kind = match kind {
            FileKind::Absent => 0u8,
            FileKind::File { executable: false } => 1,
            FileKind::File { executable: true } => 2,
            FileKind::Other => 3,
        };
        (kind | u8::from(*is_source) << 4 | u8::from(*settled) << 5).put(out);
        signature.put(out);
        blob.put(out);
    }

    fn get(bytes: &mut &[u8]) -> Option<Self> {
        let name = Fixed::get(bytes)?;
        let (kind, is_source, settled) = file_flags(u8::get(bytes)?)?;
        Some(FileRecord {
            name,
            kind,
            is_source,
            settled,
            signature: Fixed::get(bytes)?,
            blob: Fixed::get(bytes)?,
        })
    }
}

/// Decodes the kind of a file, whether functions read it, and whether its signature is proof.
fn file_flags(flags: u8) -> Option<(FileKind, bool, bool)> {
    let kind = match flags & 0xf {
        0 => FileKind::Absent,
        1 => FileKind::File { executable: false },
        2 => FileKind::File { executable: true },
        3 => FileKind::Other,
        _ => return None,
    };
    Some((kind, flags & 16 != 0, flags & FILE_SETTLED != 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn signature() -> Signature {
        Signature { inode: (1, 2), size: 3, mode: 0o100644, mtime: -4, ctime: 1 << 60 }
    }

    fn check<R: Fixed + PartialEq + std::fmt::Debug>(record: R) {
        let mut bytes = Vec::new();
        record.put(&mut bytes);
        assert_eq!(bytes.len(), R::SIZE);
        assert_eq!(Table::<R>::new(&bytes).get(0), Some(record));
        assert!(Table::<R>::new(&bytes).get(1).is_none());
        assert!(Table::<R>::new(&bytes[1..]).get(0).is_none());
    }

    #[test]
    fn records_are_read_back_as_written() {
        let blob = BlobDigest::of(b"x");
        for (list, walk, settled, border) in
            [(None, Some(blob), true, false), (Some(blob), None, false, true)]
        {
            let (path, files) = ((1, 2), (3, 4));
            check(DirRecord { path, files, signature: signature(), settled, list, walk, border });
        }
        let kinds = [
            FileKind::Absent,
            FileKind::File { executable: true },
            FileKind::File { executable: false },
            FileKind::Other,
        ];
        for kind in kinds {
            let (is_source, settled) = (true, false);
            let signature = signature();
            let name = (5, 6);
            let file = FileRecord { name, kind, is_source, settled, signature, blob };
            let mut bytes = Vec::new();
            file.put(&mut bytes);
            let content = Table::<FileRecord>::new(&bytes).content(0);
            assert_eq!(content, Some(Content { kind, is_source, blob }));
            check(file);
        }
        check(UserRecord { file: 1, step: 2 });
        let (needs, dependents) = ((4, 5), (6, 7));
        check(StepPlace { at: 1 << 40, length: 2, checksum: 3, needs, dependents, result: 8 });
        check(9u32);
        for proof in [Proof::NONE, signature().into()] {
            check(ResultRecord { link: (1, 2), target: (3, 4), files: (5, 6), proof });
        }
        check(ResultFile { path: (1, 2), signature: signature().into() });
    }
}
