//! What is known of one path, stored compactly: there is one for each file.

use wake_model::{BlobDigest, RelPath};

use super::{FileState, Signature};
use crate::fixed::Fixed;

/// What is known of a path.
#[derive(Clone, Debug)]
pub(crate) struct FileInfo(Form);

#[derive(Clone, Debug)]
enum Form {
    /// A file with as many bytes as `stat` said, as every file has unless it is being changed.
    ///
    /// The signature is stored as bytes, which need no alignment.
    File {
        blob: BlobDigest,
        signature: [u8; Signature::SIZE],
        settled: bool,
    },
    Other(Box<Other>),
}

/// Anything else.
#[derive(Clone, Debug)]
struct Other {
    seen: FileState,
    signature: Option<Signature>,
    settled: bool,
}

impl FileInfo {
    /// Creates it from the state of a path, its signature, and whether an equal signature will mean equal content.
    pub(super) fn new(seen: FileState, signature: Option<Signature>, settled: bool) -> FileInfo {
        if let (FileState::File { blob, size, executable }, Some(signature)) = (&seen, signature)
            && (*size, *executable) == (signature.size, signature.is_executable())
        {
            return FileInfo(Form::File { blob: *blob, signature: signature.into(), settled });
        }
        FileInfo(Form::Other(Box::new(Other { seen, signature, settled })))
    }

    /// Returns the state of the path.
    pub(crate) fn seen(&self) -> FileState {
        match &self.0 {
            Form::File { blob, signature, .. } => {
                let signature = Signature::from(*signature);
                let (size, executable) = (signature.size, signature.is_executable());
                FileState::File { blob: *blob, size, executable }
            }
            Form::Other(other) => other.seen.clone(),
        }
    }

    /// Returns its signature; for a regular file, at the time its content was hashed.
    pub(crate) fn signature(&self) -> Option<Signature> {
        match &self.0 {
            Form::File { signature, .. } => Some((*signature).into()),
            Form::Other(other) => other.signature,
        }
    }

    /// Returns whether an equal signature will mean equal content; otherwise the file is read again next time.
    pub(crate) fn settled(&self) -> bool {
        match &self.0 {
            Form::File { settled, .. } => *settled,
            Form::Other(other) => other.settled,
        }
    }
}

/// A path with what is known of it; allocated apart from the table, about half of which is empty.
#[derive(Debug)]
pub(super) struct Entry(Box<(RelPath, Option<FileInfo>)>);

impl Entry {
    /// Creates an entry of which nothing is known.
    pub(super) fn unread(path: RelPath) -> Entry {
        Entry(Box::new((path, None)))
    }

    pub(super) fn path(&self) -> &RelPath {
        &self.0.0
    }

    /// Returns none for a file that has not been read.
    pub(super) fn known(&self) -> Option<&FileInfo> {
        self.0.1.as_ref()
    }

    pub(super) fn set(&mut self, known: FileInfo) {
        self.0.1 = Some(known);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn signature(size: u64, mode: u32) -> Signature {
        Signature { inode: (u64::MAX, 1 << 40), size, mode, mtime: -1, ctime: i64::MAX }
    }

    #[test]
    fn every_known_entry_is_read_back() {
        let file =
            |size, executable| FileState::File { blob: BlobDigest::of(b"a"), size, executable };
        let cases = [
            (file(7, false), Some(signature(7, 0o100_644))),
            (file(7, true), Some(signature(7, 0o100_755))),
            // It was changed while it was read.
            (file(7, true), Some(signature(7, 0o100_644))),
            (file(7, false), Some(signature(8, 0o100_644))),
            (file(7, false), None),
            (FileState::Absent, None),
            (FileState::Link("a/b".to_owned()), Some(signature(3, 0o120_777))),
            (FileState::Dir, Some(signature(0, 0o040_755))),
            (FileState::Other, Some(signature(0, 0o010_600))),
        ];
        for (seen, signature) in cases {
            for settled in [false, true] {
                let known = FileInfo::new(seen.clone(), signature, settled);
                assert_eq!(
                    (known.seen(), known.signature(), known.settled()),
                    (seen.clone(), signature, settled)
                );
            }
        }
    }

    #[test]
    fn a_file_takes_only_its_path_digest_and_signature() {
        assert!(size_of::<(RelPath, Option<FileInfo>)>() <= 96);
    }
}
