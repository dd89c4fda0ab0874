//! Packages that files are imported from.

use std::cell::RefCell;
use std::rc::Rc;

use jrsonnet_evaluator::Result;
use jrsonnet_evaluator::rustc_hash::FxHashMap;
use wake_model::{BlobDigest, RelPath};

use super::Open;
use crate::engine::note::Note;
use crate::{Library, Sources};

/// A package to import from, and the files read so far.
///
/// Each file is read once per epoch, whoever imports it, unless it is large.
pub(crate) struct OpenLibrary {
    pub(crate) key: String,
    pub(crate) library: Library,
    sources: Box<dyn Sources>,
    files: RefCell<FxHashMap<RelPath, ReadFile>>,
}

/// The maximum size of a file that is kept, in bytes.
const KEPT_FILE: usize = 256 << 10;

/// The content of a file and its digest; `None` if there is no such file, or it is not exported.
type ReadFile = Option<(Rc<[u8]>, BlobDigest)>;

impl OpenLibrary {
    /// Parses a [`crate::Library`] and opens its files.
    pub(crate) fn parse(key: &str, text: &str, open: &Open) -> serde_json::Result<OpenLibrary> {
        let library: Library = serde_json::from_str(text)?;
        let sources = open(&library.root);
        Ok(OpenLibrary { key: key.to_owned(), library, sources, files: RefCell::default() })
    }

    /// Whether the package lists a directory (true) or a file (false) at `path`; `None` if it lists nothing there.
    pub(crate) fn names(&self, path: &RelPath) -> Option<bool> {
        let files = &self.library.files;
        if files.binary_search(path).is_ok() {
            return Some(false);
        }
        files.iter().any(|file| file.starts_with(path)).then_some(true)
    }

    /// Returns the content of an exported file, and its digest.
    pub(crate) fn read(&self, path: &RelPath) -> Result<ReadFile> {
        if let Some(known) = self.files.borrow().get(path) {
            return Ok(known.clone());
        }
        let bytes = match self.library.offers(path) {
            true => self.sources.read(path).map_err(|error| Note::new(error.to_string()))?,
            false => None,
        };
        let file: ReadFile = bytes.map(|bytes| {
            let digest = BlobDigest::of(&bytes);
            (bytes.into(), digest)
        });
        if file.as_ref().is_none_or(|(bytes, _)| bytes.len() <= KEPT_FILE) {
            self.files.borrow_mut().insert(path.clone(), file.clone());
        }
        Ok(file)
    }
}
