//! What is known of one path, in few bytes: there are as many of these as files.

use wake_model::{BlobDigest, RelPath};

use super::{Seen, Signature};
use crate::fixed::Fixed;

/// What is known of one path that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Known(Form);

#[derive(Clone, Debug)]
enum Form {
    /// A file that has as many bytes as `stat` said, as all have that nobody changes meanwhile.
    ///
    /// The signature is in bytes, which need not begin where a number must.
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
    seen: Seen,
    signature: Option<Signature>,
    settled: bool,
}

impl Known {
    /// What lies there, what `stat` said of it, and whether equal signatures will mean equal content.
    pub(super) fn new(seen: Seen, signature: Option<Signature>, settled: bool) -> Known {
        if let (Seen::File { blob, size, executable }, Some(signature)) = (&seen, signature)
            && (*size, *executable) == (signature.size, signature.is_executable())
        {
            return Known(Form::File { blob: *blob, signature: signature.into(), settled });
        }
        Known(Form::Other(Box::new(Other { seen, signature, settled })))
    }

    /// What lay there.
    pub(crate) fn seen(&self) -> Seen {
        match &self.0 {
            Form::File { blob, signature, .. } => {
                let signature = Signature::from(*signature);
                let (size, executable) = (signature.size, signature.is_executable());
                Seen::File { blob: *blob, size, executable }
            }
            Form::Other(other) => other.seen.clone(),
        }
    }

    /// What `stat` said of it; of a regular file, when its bytes were hashed.
    pub(crate) fn signature(&self) -> Option<Signature> {
        match &self.0 {
            Form::File { signature, .. } => Some((*signature).into()),
            Form::Other(other) => other.signature,
        }
    }

    /// Whether equal signatures will mean equal content; else it is read again next time.
    pub(crate) fn settled(&self) -> bool {
        match &self.0 {
            Form::File { settled, .. } => *settled,
            Form::Other(other) => other.settled,
        }
    }
}

/// A path with what is known of it: found by the path, and apart from the table, of which about half is empty.
#[derive(Debug)]
pub(super) struct Entry(Box<(RelPath, Option<Known>)>);

impl Entry {
    /// One of which nothing is known yet.
    pub(super) fn unread(path: RelPath) -> Entry {
        Entry(Box::new((path, None)))
    }

    pub(super) fn path(&self) -> &RelPath {
        &self.0.0
    }

    /// None of a file that is still to be read.
    pub(super) fn known(&self) -> Option<&Known> {
        self.0.1.as_ref()
    }

    pub(super) fn set(&mut self, known: Known) {
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
    fn what_is_known_comes_back_whatever_it_is() {
        let file = |size, executable| Seen::File { blob: BlobDigest::of(b"a"), size, executable };
        let cases = [
            (file(7, false), Some(signature(7, 0o100_644))),
            (file(7, true), Some(signature(7, 0o100_755))),
            // It was changed while it was looked at.
            (file(7, true), Some(signature(7, 0o100_644))),
            (file(7, false), Some(signature(8, 0o100_644))),
            (file(7, false), None),
            (Seen::Absent, None),
            (Seen::Link("a/b".to_owned()), Some(signature(3, 0o120_777))),
            (Seen::Dir, Some(signature(0, 0o040_755))),
            (Seen::Other, Some(signature(0, 0o010_600))),
        ];
        for (seen, signature) in cases {
            for settled in [false, true] {
                let known = Known::new(seen.clone(), signature, settled);
                assert_eq!(
                    (known.seen(), known.signature(), known.settled()),
                    (seen.clone(), signature, settled)
                );
            }
        }
    }

    #[test]
    fn a_file_takes_no_more_than_its_path_its_digest_and_its_signature() {
        assert!(size_of::<(RelPath, Option<Known>)>() <= 96);
    }
}
