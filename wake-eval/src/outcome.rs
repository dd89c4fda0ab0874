//! What an evaluation yields beside its value: what it read and what it traced.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wake_model::{BlobDigest, RelPath};

use crate::answers::Way;
use crate::sources::{EntryKind, ListEntry};

/// The result of a request that succeeded.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// The result, as JSON text.
    pub value: Box<RawValue>,
    /// Everything the value depends on beside the request, sorted, each once.
    pub reads: Vec<Read>,
    /// The lines of `std.trace`, in order.
    pub trace: Vec<String>,
}

/// An [`Evaluated`] whose value nobody has read again: how it leaves the engine, and the worker.
#[derive(Debug, Clone)]
pub(crate) struct EvaluatedText {
    pub(crate) text: String,
    pub(crate) reads: Vec<Read>,
    pub(crate) trace: Vec<String>,
}

/// One thing an evaluation looked at, with the digest of what it saw.
///
/// No digest means that the thing was absent. Seeing the same digests again, the evaluation would yield the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Read {
    /// A file's bytes.
    File {
        /// The file, relative to the package.
        path: RelPath,
        /// Of its bytes.
        digest: Option<BlobDigest>,
    },
    /// A directory's names and kinds.
    List {
        /// The directory, relative to the package.
        path: RelPath,
        /// As [`list_digest`] gives it.
        digest: Option<BlobDigest>,
    },
    /// A file of another package, imported.
    Import {
        /// How one gets there.
        way: Way,
        /// Of its bytes; none where the package at its end offers no such file.
        digest: Option<BlobDigest>,
    },
    /// Whether another package names a file or directory.
    Named {
        /// How one gets there.
        way: Way,
        /// As [`crate::named_digest`] gives it; none where nothing is named so.
        digest: Option<BlobDigest>,
    },
    /// What an option of the build is set to.
    Option {
        /// Its name.
        name: String,
        /// Of the JSON text that was answered; none where nobody sets it.
        digest: Option<BlobDigest>,
    },
    /// The instance of a package.
    Pkg {
        /// `namespace@name@version`.
        key: String,
        /// Of the JSON text that was answered.
        digest: Option<BlobDigest>,
    },
    /// The instance of a module; without a digest where it was not ready yet.
    Module {
        /// The canonical JSON of the module id.
        id: String,
        /// Of the JSON text that was answered.
        digest: Option<BlobDigest>,
    },
}

/// The digest of a directory listing, whatever order it came in.
///
/// BLAKE3 of the entries sorted by name, each as one letter (`f`ile, `d`irectory, `l`ink, `o`ther), the name, and a NUL.
pub fn list_digest(entries: &[ListEntry]) -> BlobDigest {
    digest_of_listing(entries.iter().map(|entry| (entry.name.as_str(), entry.kind)))
}

/// [`list_digest`] of entries that nobody owns.
pub fn digest_of_listing<'a>(
    entries: impl IntoIterator<Item = (&'a str, EntryKind)>,
) -> BlobDigest {
    let mut sorted: Vec<(&str, EntryKind)> = entries.into_iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let mut text = Vec::with_capacity(sorted.iter().map(|(name, _)| name.len() + 2).sum());
    for (name, kind) in sorted {
        text.push(match kind {
            EntryKind::File => b'f',
            EntryKind::Dir => b'd',
            EntryKind::Link => b'l',
            EntryKind::Other => b'o',
        });
        text.extend_from_slice(name.as_bytes());
        text.push(0);
    }
    BlobDigest::of(&text)
}
