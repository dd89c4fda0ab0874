//! The results of an evaluation: its value, what it read, and its trace.

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
    /// Everything the value depends on in addition to the request, sorted, without duplicates.
    pub reads: Vec<Read>,
    /// The lines of `std.trace`, in order.
    pub trace: Vec<String>,
}

/// An [`Evaluated`] whose value has not been parsed: the form in which it leaves the engine and the worker.
#[derive(Debug, Clone)]
pub(crate) struct EvaluatedText {
    pub(crate) text: String,
    pub(crate) reads: Vec<Read>,
    pub(crate) trace: Vec<String>,
}

/// One thing that an evaluation looked at, with the digest of what it saw.
///
/// `None` as a digest means that the thing was absent. If all digests are the same again, so is the result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Read {
    /// The content of a file.
    File {
        /// The file, relative to the package.
        path: RelPath,
        /// The digest of its content.
        digest: Option<BlobDigest>,
    },
    /// The names and kinds of a directory's entries.
    List {
        /// The directory, relative to the package.
        path: RelPath,
        /// The [`list_digest`].
        digest: Option<BlobDigest>,
    },
    /// An imported file of another package.
    Import {
        /// The way to it.
        way: Way,
        /// The digest of its content; `None` if the package exports no such file.
        digest: Option<BlobDigest>,
    },
    /// Whether another package lists a file or directory.
    Named {
        /// The way to it.
        way: Way,
        /// The [`crate::named_digest`]; `None` if it is not listed.
        digest: Option<BlobDigest>,
    },
    /// The setting of an option.
    Option {
        /// Its name.
        name: String,
        /// The digest of the answer's JSON text; `None` if the option is not set.
        digest: Option<BlobDigest>,
    },
    /// The instance of a package.
    Pkg {
        /// `namespace@name@version`.
        key: String,
        /// The digest of the answer's JSON text.
        digest: Option<BlobDigest>,
    },
    /// The instance of a module; without a digest if it was not ready.
    Module {
        /// The canonical JSON of the module id.
        id: String,
        /// The digest of the answer's JSON text.
        digest: Option<BlobDigest>,
    },
}

/// Returns the digest of a directory listing, independent of its order.
///
/// BLAKE3 of the entries sorted by name, each as one letter (`f`ile, `d`irectory, `l`ink, `o`ther), the name, and a
/// NUL.
pub fn list_digest(entries: &[ListEntry]) -> BlobDigest {
    digest_of_listing(entries.iter().map(|entry| (entry.name.as_str(), entry.kind)))
}

/// Returns the [`list_digest`] of borrowed entries.
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
