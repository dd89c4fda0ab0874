//! What an evaluation can ask: the files of its package, other packages and modules.

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

/// Who answers questions about others; the parent's [`crate::Answers`] at the other end of a pipe.
pub(crate) trait Ask {
    /// The JSON texts of the instances of packages, in the order of their keys.
    fn pkgs(&self, keys: &[&str]) -> Vec<Option<Arc<str>>>;
    /// What is known about modules, in the order of their ids.
    fn modules(&self, ids: &[&str]) -> Vec<Answer>;
    /// The JSON text of what can be imported of a package.
    fn library(&self, key: &str) -> Option<Arc<str>>;
    /// The JSON text of what an option is set to.
    fn option(&self, name: &str) -> Option<Arc<str>>;
}

/// Opens the files of a package, by the root that its request or library names.
pub(crate) type Open = dyn Fn(&Path) -> Box<dyn Sources>;

/// What lies around every evaluation of one request.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) sources: Rc<dyn Sources>,
    pub(crate) open: Rc<Open>,
    pub(crate) ask: Rc<dyn Ask>,
    pub(crate) known: Rc<KnownAnswers>,
}

/// What lies around one evaluation, and what it has read of that.
pub(crate) struct World {
    around: Surroundings,
    /// In no order, some of them more than once.
    reads: RefCell<Vec<Read>>,
    /// The same for whatever is evaluated here.
    shared: RefCell<Vec<Read>>,
    /// Whether it is for that that something is read now.
    is_shared: Cell<bool>,
    listings: RefCell<FxHashMap<RelPath, Option<Rc<[ListEntry]>>>>,
    /// Files of the package that a search found, as it wrote them.
    pub(crate) found: RefCell<FxHashSet<IStr>>,
    /// Directories that are no other package, nor below one.
    inside: RefCell<FxHashSet<RelPath>>,
}

impl World {
    /// How a person calls a file of the package.
    pub(crate) fn shown(&self, path: &RelPath) -> String {
        self.around.sources.shown(path)
    }

    /// A world of which nothing has been read.
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

    /// The same world for another evaluation.
    pub(crate) fn afresh(&self) -> World {
        World::new(self.around.clone())
    }

    /// What was read, sorted; asked for once, at the end.
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

    /// Does something whose result whatever else is evaluated here may depend on as well.
    pub(crate) fn shared<T>(&self, read: impl FnOnce() -> T) -> T {
        if self.is_shared.get() {
            return read();
        }
        self.is_shared.set(true);
        let value = read();
        self.is_shared.set(false);
        value
    }

    /// The same where directories are listed: what was seen of them so far is not told again.
    pub(crate) fn shared_anew<T>(&self, read: impl FnOnce() -> T) -> T {
        self.listings.take();
        self.inside.take();
        self.shared(read)
    }

    /// Forgets what was looked at for one evaluation before another one.
    pub(crate) fn begin(&self) {
        self.reads.take();
        self.listings.take();
        self.found.take();
        self.inside.take();
        let mut shared = self.shared.borrow_mut();
        shared.sort_unstable();
        shared.dedup();
    }

    /// The bytes of a file, recorded.
    pub(crate) fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>> {
        let bytes = self.around.sources.read(path).map_err(|error| Note::new(error.to_string()))?;
        let digest = bytes.as_deref().map(BlobDigest::of);
        self.shared(|| {
            self.record(Read::File { path: path.clone(), digest });
            self.record_no_border(path);
        });
        Ok(bytes)
    }

    /// Notes that no directory on the way to `path` is a package of its own: the file is read only while
    /// that holds.
    fn record_no_border(&self, path: &RelPath) {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            if let Ok(path) = dir.child(PKG_FILE) {
                self.record(Read::File { path, digest: None });
            }
            above = dir.parent();
        }
    }

    /// Whether a file was looked for in vain.
    pub(crate) fn is_absent(&self, path: &RelPath) -> bool {
        self.shared.borrow().contains(&Read::File { path: path.clone(), digest: None })
    }

    /// The entries of a directory sorted by name, recorded; each directory is listed once.
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

    /// What stands at `path` in the package's directory, found by listing the directory above it.
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

    /// The first directory on the way to `path` that is another package.
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

    /// The instance of the package `key`, recorded; none if there is no such package. What is likely to be asked for
    /// next, `others`, is asked for along with it.
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

    /// What can be imported of the package `key`; none if there is no such package.
    pub(crate) fn library(&self, key: &str) -> Result<Option<Rc<OpenLibrary>>> {
        self.around.known.library(&*self.around.ask, &*self.around.open, key)
    }

    /// What an option is set to, recorded; none if nobody sets it.
    pub(crate) fn option(&self, name: &str) -> Result<Option<Rc<OptionSetting>>> {
        let answer = self.around.known.option(&*self.around.ask, name)?;
        let (setting, digest) = answer.unzip();
        self.record(Read::Option { name: name.to_owned(), digest });
        Ok(setting)
    }

    /// The bytes of a file that `library`, at the end of `way`, offers, recorded.
    pub(crate) fn import(&self, library: &OpenLibrary, way: &Way) -> Result<Option<Rc<[u8]>>> {
        let (bytes, digest) = library.read(&way.path)?.unzip();
        self.shared(|| self.record(Read::Import { way: way.clone(), digest }));
        Ok(bytes)
    }

    /// Where what `library`, at the end of `way`, names lies for commands; none if it names nothing there. Recorded.
    pub(crate) fn named(&self, library: &OpenLibrary, way: &Way) -> Option<String> {
        let is_dir = library.names(&way.path);
        let digest = is_dir.map(|is_dir| named_digest(&library.key, is_dir));
        self.record(Read::Named { way: way.clone(), digest });
        let slash = if is_dir? { "/" } else { "" };
        Some(format!("./.wake/pkgs/{}/{}{slash}", library.key, way.path))
    }

    /// What is known about the module `id`, recorded; asked for along with `others`.
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

/// The entry called `name` of a sorted listing.
fn find<'a>(entries: &'a [ListEntry], name: &str) -> Option<&'a ListEntry> {
    entries
        .binary_search_by(|entry| entry.name.as_str().cmp(name))
        .ok()
        .map(|index| &entries[index])
}
