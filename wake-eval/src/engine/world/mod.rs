//! What an evaluation can query: the files of its package, other packages and modules.

mod instance;
mod library;
mod known;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use jrsonnet_evaluator::rustc_hash::{FxHashMap, FxHashSet};
use jrsonnet_evaluator::{IStr, Result};
use wake_model::place::PKG_FILE;
use wake_model::{BlobDigest, RelPath};

use super::note::Note;
use crate::outcome::list_digest;
use crate::{Answer, EntryKind, ListEntry, OptionSetting, Read, Sources, Way, named_digest};
pub(crate) use instance::{Instance, PathKind, Text};
pub(crate) use known::{KnownAnswers, ModuleAnswer};
pub(crate) use library::OpenLibrary;

/// The source of answers about other packages and modules: the parent's [`crate::Answers`] at the other end of a
/// pipe.
pub(crate) trait Ask {
    /// Returns the JSON texts of package instances, in the order of their keys.
    fn pkgs(&self, keys: &[&str]) -> Vec<Option<Arc<str>>>;
    /// Returns the states of modules, in the order of their ids.
    fn modules(&self, ids: &[&str]) -> Vec<Answer>;
    /// Returns the JSON text of what can be imported from a package.
    fn library(&self, key: &str) -> Option<Arc<str>>;
    /// Returns the JSON text of an option's setting.
    fn option(&self, name: &str) -> Option<Arc<str>>;
}

/// Opens the files of a package, given the root in its request or library.
pub(crate) type Open = dyn Fn(&Path) -> Box<dyn Sources>;

/// The environment shared by all evaluations of a request.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) sources: Rc<dyn Sources>,
    pub(crate) open: Rc<Open>,
    pub(crate) ask: Rc<dyn Ask>,
    pub(crate) known: Rc<KnownAnswers>,
}

/// The environment of one evaluation, and its reads.
pub(crate) struct World {
    around: Surroundings,
    /// Unordered, possibly with duplicates.
    reads: RefCell<Vec<Read>>,
    /// The reads shared by all evaluations here.
    shared: RefCell<Vec<Read>>,
    /// Whether the current read is shared.
    is_shared: Cell<bool>,
    listings: RefCell<FxHashMap<RelPath, Option<Rc<[ListEntry]>>>>,
    /// Package files found by a search, in the form in which the search returned them.
    pub(crate) found: RefCell<FxHashSet<IStr>>,
    /// Directories that are not, and are not inside, another package.
    inside: RefCell<FxHashSet<RelPath>>,
}

impl World {
    /// Returns the name of a package file for people.
    pub(crate) fn shown(&self, path: &RelPath) -> String {
        self.around.sources.shown(path)
    }

    /// Creates a world without any reads.
    pub(crate) fn new(around: Surroundings) -> World {
        World {
            around,
            reads: RefCell::new(Vec::with_capacity(16)),
            shared: RefCell::default(),
            is_shared: Cell::new(false),
            listings: RefCell::default(),
            found: RefCell::default(),
            inside: RefCell::default(),
        }
    }

    /// Creates the same world for another evaluation.
    pub(crate) fn afresh(&self) -> World {
        World::new(self.around.clone())
    }

    /// Returns the reads, sorted; called once, at the end.
    pub(crate) fn take_reads(&self) -> Vec<Read> {
        let mut reads = self.reads.take();
        reads.extend_from_slice(&self.shared.borrow());
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    fn record(&self, read: Read) {
        let reads = if self.is_shared.get() { &self.shared } else { &self.reads };
        reads.borrow_mut().push(read);
    }

    /// Does something whose result other evaluations here may depend on, too.
    pub(crate) fn shared<T>(&self, read: impl FnOnce() -> T) -> T {
        if self.is_shared.get() {
            return read();
        }
        self.is_shared.set(true);
        let value = read();
        self.is_shared.set(false);
        value
    }

    /// Like [`World::shared`], but for directory listings: earlier ones are not reported again.
    pub(crate) fn shared_anew<T>(&self, read: impl FnOnce() -> T) -> T {
        self.listings.take();
        self.inside.take();
        self.shared(read)
    }

    /// Forgets what an earlier evaluation looked at.
    pub(crate) fn begin(&self) {
        self.reads.take();
        self.listings.take();
        self.found.take();
        self.inside.take();
        let mut shared = self.shared.borrow_mut();
        shared.sort_unstable();
        shared.dedup();
    }

    /// Reads a file, and records it.
    pub(crate) fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>> {
        let bytes = self.around.sources.read(path).map_err(|error| Note::new(error.to_string()))?;
        let digest = bytes.as_deref().map(BlobDigest::of);
        self.shared(|| {
            self.record(Read::File { path: path.clone(), digest });
            self.record_no_border(path);
        });
        Ok(bytes)
    }

    /// Records that no directory on the way to `path` is a package of its own, because the file may be read only as
    /// long as that is so.
    fn record_no_border(&self, path: &RelPath) {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            if let Ok(path) = dir.child(PKG_FILE) {
                self.record(Read::File { path, digest: None });
            }
            above = dir.parent();
        }
    }

    /// Whether a file was looked for and not found.
    pub(crate) fn is_absent(&self, path: &RelPath) -> bool {
        self.shared.borrow().contains(&Read::File { path: path.clone(), digest: None })
    }

    /// Lists a directory, sorted by name, and records it; each directory is listed once.
    pub(crate) fn list(&self, dir: &RelPath) -> Result<Option<Rc<[ListEntry]>>> {
        if let Some(known) = self.listings.borrow().get(dir) {
            return Ok(known.clone());
        }
        let entries =
            self.around.sources.list(dir).map_err(|error| Note::new(error.to_string()))?;
        let entries = entries.map(|mut entries| {
            entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
            entries
        });
        self.record(Read::List { path: dir.clone(), digest: entries.as_deref().map(list_digest) });
        let entries: Option<Rc<[ListEntry]>> = entries.map(Into::into);
        self.listings.borrow_mut().insert(dir.clone(), entries.clone());
        Ok(entries)
    }

    /// Returns the kind of `path` in the package's directory, by listing its parent directory.
    pub(crate) fn entry(&self, path: &RelPath) -> Result<Option<EntryKind>> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Some(EntryKind::Dir));
        };
        let entries = self.list(&parent)?;
        Ok(entries.and_then(|entries| find(&entries, name).map(|entry| entry.kind)))
    }

    /// Whether the directory at `dir` is a package of its own.
    pub(crate) fn is_pkg(&self, dir: &RelPath) -> Result<bool> {
        Ok(self.list(dir)?.is_some_and(|entries| find(&entries, PKG_FILE).is_some()))
    }

    /// Returns the first directory on the way to `path` that is another package.
    pub(crate) fn border(&self, path: &RelPath) -> Result<Option<RelPath>> {
        let Some(above) = path.parent().filter(|above| !above.is_root()) else { return Ok(None) };
        if self.inside.borrow().contains(&above) {
            return Ok(None);
        }
        let mut dir = RelPath::root();
        for component in above.components() {
            dir = dir.child(component).map_err(Note::from)?;
            let Some(entries) = self.list(&dir)? else { return Ok(None) };
            if find(&entries, PKG_FILE).is_some() {
                return Ok(Some(dir));
            }
        }
        self.inside.borrow_mut().insert(above);
        Ok(None)
    }

    /// Returns the instance of the package `key`, and records it; `None` if there is no such package. Also requests
    /// `others`, which are likely to be needed next.
    pub(crate) fn pkg<'a>(
        &self,
        key: &'a str,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Rc<Instance>>> {
        let answer = self.around.known.pkg(&*self.around.ask, key, others)?;
        let (instance, digest) = answer.unzip();
        self.record(Read::Pkg { key: key.to_owned(), digest });
        Ok(instance)
    }

    /// Returns what can be imported from the package `key`; `None` if there is no such package.
    pub(crate) fn library(&self, key: &str) -> Result<Option<Rc<OpenLibrary>>> {
        self.around.known.library(&*self.around.ask, &*self.around.open, key)
    }

    /// Returns the setting of an option, and records it; `None` if it is not set.
    pub(crate) fn option(&self, name: &str) -> Result<Option<Rc<OptionSetting>>> {
        let answer = self.around.known.option(&*self.around.ask, name)?;
        let (setting, digest) = answer.unzip();
        self.record(Read::Option { name: name.to_owned(), digest });
        Ok(setting)
    }

    /// Reads a file that `library`, at the end of `way`, exports, and records it.
    pub(crate) fn import(&self, library: &OpenLibrary, way: &Way) -> Result<Option<Rc<[u8]>>> {
        let (bytes, digest) = library.read(&way.path)?.unzip();
        self.shared(|| self.record(Read::Import { way: way.clone(), digest }));
        Ok(bytes)
    }

    /// Returns where commands find what `library`, at the end of `way`, lists; `None` if it lists nothing there.
    /// Recorded.
    pub(crate) fn named(&self, library: &OpenLibrary, way: &Way) -> Option<String> {
        let is_dir = library.names(&way.path);
        let digest = is_dir.map(|is_dir| named_digest(&library.key, is_dir));
        self.record(Read::Named { way: way.clone(), digest });
        let slash = if is_dir? { "/" } else { "" };
        Some(format!("./.wake/pkgs/{}/{}{slash}", library.key, way.path))
    }

    /// Returns the state of the module `id`, and records it; also requests `others`.
    pub(crate) fn module<'a>(
        &self,
        id: &'a str,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<ModuleAnswer> {
        let answer = self.around.known.module(&*self.around.ask, id, others)?;
        let digest = match &answer {
            ModuleAnswer::Ready(_, digest) => Some(*digest),
            ModuleAnswer::Pending | ModuleAnswer::Unknown => None,
        };
        self.record(Read::Module { id: id.to_owned(), digest });
        Ok(answer)
    }
}

/// Finds the entry `name` in a sorted listing.
fn find<'a>(entries: &'a [ListEntry], name: &str) -> Option<&'a ListEntry> {
    entries
        .binary_search_by(|entry| entry.name.as_str().cmp(name))
        .ok()
        .map(|index| &entries[index])
}
