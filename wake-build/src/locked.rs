//! Packages that `wake.lock` names: read once, from the root of the workspace, when something asks for one. What the store lacks
//! is fetched.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use wake_image::{ImageError, ImageMirrors};
use wake_model::lock::LockSource;
use wake_model::{BlobDigest, LOCK_FILE, Lock, LockedPkg, Name, PkgKey, PkgName, PkgRequest};
use wake_steps::diagnostic::{Class, Diagnostic, Level, Place};
use wake_steps::error::store_failure;
use wake_store::ware::Meter;
use wake_store::{Lookup, Store, StoredTree};

use crate::files::Files;
use crate::gauge::FetchGauge;
use crate::lock_text::{LockText, at};
use crate::pkg_place::{PkgPlace, StoredPkg};
use crate::registries::{Reach, Registries, registry_failure};

/// The packages that a workspace has locked, and those of them that were opened.
pub(crate) struct LockedPkgs<'a> {
    registries: &'a Registries,
    mode: Mode,
    is_unmet: AtomicBool,
    /// Whether a registry is to meet something that is not locked.
    is_to_be_chosen: AtomicBool,
    /// Whether an exec is to be asked for something.
    is_to_be_retrieved: AtomicBool,
    read: OnceLock<Result<LockText, Box<Diagnostic>>>,
    opened: Mutex<BTreeMap<PkgKey, Arc<Opening>>>,
    fetched: AtomicUsize,
    fetched_bytes: AtomicU64,
    may_lock: bool,
    /// Images that were resolved, by what they are called, and are to be locked.
    images: Mutex<BTreeMap<String, String>>,
}

/// Why an image of this name is not known by its digest.
pub(crate) enum ImageLock {
    /// The lock cannot be read.
    Lock(Box<Diagnostic>),
    /// The lock does not have it, and may not change.
    NotLocked,
    /// Where it is, it was not found.
    Unresolved(ImageError),
}

/// What becomes of requirements for registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// They mean what the lock says.
    Bound,
    /// They stay open, for whoever asks what there is to choose.
    Open,
    /// They mean what a lock says that is being put together; what it does not say stays open.
    Settling,
}

/// Packages that are opened together.
struct Wave<'w> {
    locked: Vec<&'w LockedPkg>,
    counted: Once,
}

impl Wave<'_> {
    /// Says how many of them have to be fetched, once the first one has to be: else nobody needs to know.
    fn count(&self, gauge: &FetchGauge, store: &Store) {
        self.counted.call_once(|| {
            let is_missing = |locked: &&&LockedPkg| {
                locked.is_of_registry() && !store.tree_place(&locked.content).exists()
            };
            gauge.expect(self.locked.iter().filter(is_missing).count());
        });
    }
}

/// A package that somebody opens, or has opened.
type Opening = OnceLock<Result<Arc<StoredPkg>, Box<Diagnostic>>>;

impl<'a> LockedPkgs<'a> {
    /// Those of a workspace with these registries; nothing is read yet.
    pub(crate) fn new(registries: &'a Registries) -> LockedPkgs<'a> {
        LockedPkgs {
            registries,
            mode: Mode::Bound,
            is_unmet: AtomicBool::new(false),
            is_to_be_chosen: AtomicBool::new(false),
            is_to_be_retrieved: AtomicBool::new(false),
            read: OnceLock::new(),
            opened: Mutex::default(),
            fetched: AtomicUsize::new(0),
            fetched_bytes: AtomicU64::new(0),
            may_lock: true,
            images: Mutex::default(),
        }
    }

    /// The same, where nothing may be locked that is not.
    pub(crate) fn unchanging(self) -> LockedPkgs<'a> {
        LockedPkgs { may_lock: false, ..self }
    }

    /// The digest of the image that is called `name`: as it is locked, or as `resolve` finds it and it will be locked. Who asks at the
    /// same time for one that is to be resolved waits.
    pub(crate) fn image(
        &self,
        name: &str,
        files: &Files,
        resolve: impl FnOnce() -> Result<String, ImageError>,
    ) -> Result<String, ImageLock> {
        let lock = self.lock(files).map_err(ImageLock::Lock)?;
        if let Some(digest) = lock.lock.image(name) {
            return Ok(digest.to_owned());
        }
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = images.get(name) {
            return Ok(digest.clone());
        }
        if !self.may_lock {
            return Err(ImageLock::NotLocked);
        }
        let digest = resolve().map_err(ImageLock::Unresolved)?;
        images.insert(name.to_owned(), digest.clone());
        Ok(digest)
    }

    /// The images that were resolved and are to be locked, by what they are called.
    pub(crate) fn new_images(&self) -> BTreeMap<String, String> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, where requirements for registries stay open.
    pub(crate) fn left_open(registries: &'a Registries) -> LockedPkgs<'a> {
        LockedPkgs { mode: Mode::Open, ..LockedPkgs::new(registries) }
    }

    /// Those of a lock that is being put together: what it does not meet stays open, and so does what only a retriever can give.
    pub(crate) fn settling(registries: &'a Registries, lock: Lock) -> LockedPkgs<'a> {
        let text = lock.to_string();
        let read = OnceLock::from(Ok(LockText { lock, text, digest: None, conflict: None }));
        LockedPkgs { mode: Mode::Settling, read, ..LockedPkgs::new(registries) }
    }

    /// Whether requirements that only a retriever can meet stay open.
    pub(crate) fn is_settling(&self) -> bool {
        self.mode == Mode::Settling
    }

    /// The package that `request` means. It must be locked, and its content in the store or to be had. None where requirements
    /// stay open.
    pub(crate) fn find(
        &self,
        request: &PkgRequest,
        files: &Files,
        store: &Store,
    ) -> Result<Option<PkgPlace>, Box<Diagnostic>> {
        if self.mode == Mode::Open {
            return Ok(None);
        }
        let lock = self.lock(files)?;
        let Some(locked) = lock.lock.find(request) else {
            self.is_unmet.store(true, Ordering::Relaxed);
            self.is_to_be_chosen.store(true, Ordering::Relaxed);
            return match self.mode {
                Mode::Settling => Ok(None),
                Mode::Bound | Mode::Open => Err(self.not_locked(lock, request)),
            };
        };
        self.open(&[locked], store);
        let opening = self.opening(locked);
        // All that were to be opened are.
        let opened = opening.get().cloned().unwrap_or_else(|| Err(self.not_here(locked)));
        opened.map(PkgPlace::Store).map(Some)
    }

    /// The package that `request` means which an exec of `by` is to meet. It must be locked, and its content in the store: nothing is
    /// asked for that. None where requirements stay open.
    pub(crate) fn find_retrieved(
        &self,
        request: &PkgRequest,
        by: &PkgName,
        files: &Files,
        store: &Store,
    ) -> Result<Option<PkgPlace>, Box<Diagnostic>> {
        if self.mode == Mode::Open {
            return Ok(None);
        }
        let lock = self.lock(files)?;
        let Some(locked) = lock.lock.find_retrieved(request, by) else {
            self.is_to_be_retrieved.store(true, Ordering::Relaxed);
            self.is_unmet.store(true, Ordering::Relaxed);
            return match self.mode {
                Mode::Settling => Ok(None),
                Mode::Bound | Mode::Open => Err(Box::new(not_retrieved(lock, request, by))),
            };
        };
        let opening = self.opening(locked);
        match opening.get_or_init(|| self.open_one(locked, store, None)) {
            Ok(pkg) => Ok(Some(PkgPlace::Store(pkg.clone()))),
            Err(error) if matches!(error.class, Class::Network | Class::Integrity) => {
                self.is_to_be_retrieved.store(true, Ordering::Relaxed);
                match self.mode {
                    Mode::Settling => Ok(None),
                    Mode::Bound | Mode::Open => Err(error.clone()),
                }
            }
            Err(error) => Err(error.clone()),
        }
    }

    /// Whether something is required that the lock does not name.
    pub(crate) fn is_unmet(&self) -> bool {
        self.is_unmet.load(Ordering::Relaxed)
    }

    /// Whether something is required of registries that the lock does not name.
    pub(crate) fn is_to_be_chosen(&self) -> bool {
        self.is_to_be_chosen.load(Ordering::Relaxed)
    }

    /// Whether an exec is to be asked for something: it is not locked, or the store does not have it.
    pub(crate) fn is_to_be_retrieved(&self) -> bool {
        self.is_to_be_retrieved.load(Ordering::Relaxed)
    }

    /// Whether the lock leaves something to be chosen: a requirement that no line meets, or two versions in one range.
    pub(crate) fn leaves_a_choice(&self) -> bool {
        let two_in_a_range = || {
            let Some(Ok(read)) = self.read.get() else { return false };
            let ranges = read.lock.iter().map(|pkg| (&pkg.name, pkg.version.range()));
            let mut seen = HashSet::new();
            ranges.filter(|range| !seen.insert(range.clone())).count() > 0
        };
        self.is_unmet.load(Ordering::Relaxed) || two_in_a_range()
    }

    /// What the lock says; nothing where there is none.
    pub(crate) fn text(&self, files: &Files) -> Result<&Lock, Box<Diagnostic>> {
        Ok(&self.lock(files)?.lock)
    }

    /// Opens what `requests` mean, several at once; what is wrong is told by [`LockedPkgs::find`].
    pub(crate) fn prepare<'r>(
        &self,
        requests: impl Iterator<Item = &'r PkgRequest>,
        files: &Files,
        store: &Store,
    ) {
        let mut requests = requests.peekable();
        if self.mode == Mode::Open || requests.peek().is_none() {
            return;
        }
        let Ok(lock) = self.lock(files) else { return };
        let locked: Vec<&LockedPkg> =
            requests.filter_map(|request| lock.lock.find(request)).collect();
        self.open(&locked, store);
    }

    /// How many packages were fetched, and their bytes.
    pub(crate) fn fetched(&self) -> (usize, u64) {
        (self.fetched.load(Ordering::Relaxed), self.fetched_bytes.load(Ordering::Relaxed))
    }

    /// Whether the file, as it was read, has this text; where there is none, whether there is nothing to write.
    pub(crate) fn is_written_as(&self, text: &str) -> bool {
        match self.read.get() {
            Some(Ok(LockText { digest: Some(_), text: there, .. })) => there == text,
            Some(Ok(LockText { digest: None, .. })) => text == Lock::default().to_string(),
            Some(Err(_)) | None => false,
        }
    }

    /// The registry that has the packages of a namespace.
    pub(crate) fn registry(
        &self,
        namespace: Option<&Name>,
    ) -> Option<Arc<wake_registry::Registry>> {
        self.registries.of(namespace)
    }

    /// Where it is noted what is wrong with mirrors of images.
    pub(crate) fn image_mirrors(&self) -> &Arc<ImageMirrors> {
        self.registries.image_mirrors()
    }

    /// What counts what is fetched.
    pub(crate) fn meter(&self) -> &Meter {
        self.registries.meter()
    }

    fn lock(&self, files: &Files) -> Result<&LockText, Box<Diagnostic>> {
        self.read.get_or_init(|| self.read_lock(files)).as_ref().map_err(Clone::clone)
    }

    fn read_lock(&self, files: &Files) -> Result<LockText, Box<Diagnostic>> {
        let read = LockText::read(files)?;
        match read.told_conflict(files).filter(|_| !self.may_lock) {
            Some(conflict) => Err(Box::new(conflict)),
            None => Ok(read),
        }
    }

    /// What is said of a lock in which version control left a conflict, which is read as both sides.
    pub(crate) fn conflict(&self, files: &Files) -> Option<Diagnostic> {
        let read = self.read.get()?.as_ref().ok()?;
        let diagnostic = read.told_conflict(files)?;
        Some(Diagnostic { level: Level::Warning, ..diagnostic })
    }

    fn opening(&self, locked: &LockedPkg) -> Arc<Opening> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.entry(locked.key()).or_default().clone()
    }

    /// Opens packages in threads of its own: who waits for another there must not be one who does other things meanwhile.
    fn open(&self, locked: &[&LockedPkg], store: &Store) {
        let mut open: Vec<(&LockedPkg, Arc<Opening>)> =
            locked.iter().map(|locked| (*locked, self.opening(locked))).collect();
        open.retain(|(_, opening)| opening.get().is_none());
        let next = AtomicUsize::new(0);
        let wave =
            Wave { locked: open.iter().map(|(locked, _)| *locked).collect(), counted: Once::new() };
        let work = || {
            while let Some((locked, opening)) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                opening.get_or_init(|| self.open_one(locked, store, Some(&wave)));
            }
        };
        std::thread::scope(|scope| {
            (0..open.len().min(self.registries.at_once())).for_each(|_| drop(scope.spawn(work)));
        });
    }

    /// A package with its files, fetched where the store lacks it; one that is not trusted is an error.
    pub(crate) fn obtain(
        &self,
        locked: &LockedPkg,
        store: &Store,
    ) -> Result<Arc<StoredPkg>, Box<Diagnostic>> {
        self.open_one(locked, store, None)
    }

    fn open_one(
        &self,
        locked: &LockedPkg,
        store: &Store,
        wave: Option<&Wave<'_>>,
    ) -> Result<Arc<StoredPkg>, Box<Diagnostic>> {
        let LockedPkg { name, version, content, .. } = locked;
        let (stored, is_new) = match store.tree(content).map_err(store_failure)? {
            Lookup::Hit(stored) => {
                self.check_trust(locked, store)?;
                (stored, false)
            }
            Lookup::Miss if !locked.is_of_registry() => {
                let message = format!("{name} {version} is locked, and the store does not have it");
                let diagnostic = Diagnostic::error(Class::Network, message)
                    .note(format!("its content is {content}, from {}", shown_source(locked)));
                return Err(Box::new(diagnostic.help(RETRIEVES_IT)));
            }
            Lookup::Miss => {
                let registry = self.registry_of(locked)?;
                // Before its bytes come: they are the ones that were signed, or none.
                self.check_trust(locked, store)?;
                if let Some(wave) = wave {
                    wave.count(self.registries.gauge(), store);
                }
                (self.fetch(locked, &registry, store)?, true)
            }
            Lookup::Corrupt(corruption) => {
                let message = format!("{name} {version} is not what it was: {corruption}");
                let diagnostic = Diagnostic::error(Class::Integrity, message);
                let help = match self.registry_of(locked) {
                    _ if !locked.is_of_registry() => RETRIEVES_IT,
                    Ok(_) => "the next build fetches it anew",
                    Err(_) => PUT_IT_THERE,
                };
                return Err(Box::new(diagnostic.help(help)));
            }
        };
        Ok(Arc::new(StoredPkg { key: locked.key(), tree: *content, stored, is_new }))
    }

    fn registry_of(
        &self,
        locked: &LockedPkg,
    ) -> Result<Arc<wake_registry::Registry>, Box<Diagnostic>> {
        let registry = self.registries.of(locked.name.namespace.as_ref());
        let registry = registry.filter(|_| self.registries.reach() == Reach::Everything);
        registry.ok_or_else(|| self.not_here(locked))
    }

    /// Whether somebody whose signature counts vouches for a package. What was signed is asked for once, and kept.
    pub(crate) fn check_trust(
        &self,
        locked: &LockedPkg,
        store: &Store,
    ) -> Result<(), Box<Diagnostic>> {
        let LockedPkg { name, version, content, .. } = locked;
        let trust = self.registries.trust(name.namespace.as_ref());
        let Some(trust) = trust.filter(|_| locked.is_of_registry()) else { return Ok(()) };
        let registry = self.registries.of(name.namespace.as_ref());
        let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
        if registry.is_staged(name, version) {
            return Ok(());
        }
        let kept = registry.kept_attestations(name, version, store).map_err(registry_failure)?;
        let Err(mut distrust) = trust.check(&kept, content) else { return Ok(()) };
        let can_be_asked = self.registries.reach() == Reach::Everything;
        if can_be_asked {
            let are_enough = |lines: &[u8]| trust.check(lines, content).is_ok();
            let meter = self.registries.meter();
            let lines = registry.attestations_that(name, version, are_enough, meter);
            let lines = lines.map_err(registry_failure)?;
            match trust.check(&lines, content) {
                Ok(_) => {
                    let kept = registry.keep_attestations(name, version, lines, store);
                    return Ok(kept.map_err(registry_failure)?);
                }
                Err(now) => distrust = now,
            }
        }
        let (registry, pkg) = (registry.name().clone(), name.clone());
        let (version, keys) = (version.clone(), trust.ids());
        let mut diagnostic = registry_failure(wake_registry::RegistryError::Distrusted {
            registry,
            pkg,
            version,
            distrust,
            keys,
        });
        if !can_be_asked {
            diagnostic = diagnostic.note("`--offline` does not ask whether somebody signed it");
        }
        Err(Box::new(diagnostic))
    }

    fn fetch(
        &self,
        locked: &LockedPkg,
        registry: &wake_registry::Registry,
        store: &Store,
    ) -> Result<StoredTree, Box<Diagnostic>> {
        let LockedPkg { name, version, content, .. } = locked;
        let meter = self.registries.meter();
        let fetch = || registry.fetch(name, version, content, store, meter);
        let fetched = self.registries.gauge().watch(fetch);
        let stored = fetched.map_err(|error| self.not_fetched(locked, error))?;
        let bytes = crate::published::file_sum(*content, &stored.manifest).size;
        self.fetched.fetch_add(1, Ordering::Relaxed);
        self.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(stored)
    }

    fn not_fetched(
        &self,
        locked: &LockedPkg,
        error: wake_registry::RegistryError,
    ) -> Box<Diagnostic> {
        let is_absent = matches!(error, wake_registry::RegistryError::NoVersion { .. });
        let mut diagnostic = registry_failure(error);
        if is_absent {
            // It is locked, so it was there.
            diagnostic.class = Class::Network;
        }
        Box::new(diagnostic.note(format!("{LOCK_FILE} has it as {}", locked.content)))
    }

    fn not_locked(&self, read: &LockText, request: &PkgRequest) -> Box<Diagnostic> {
        let (name, wanted) = (request.pkg_name(), &request.version);
        let has_registry = self.registries.of(name.namespace.as_ref()).is_some();
        let diagnostic = match read.digest {
            None => {
                let none = if has_registry { "" } else { ", and no registry that would be asked" };
                let message = format!("there is no `{LOCK_FILE}` that says what it is{none}");
                Diagnostic::error(Class::Resolution, message)
            }
            Some(_) => {
                let message = format!("`{LOCK_FILE}` has no `{name}` that is {wanted}");
                Diagnostic::error(Class::Resolution, message)
            }
        };
        let locked = read.lock.of_registries(&name).map(|pkg| pkg.version.to_string());
        let locked: Vec<String> = locked.collect();
        let diagnostic = match locked.is_empty() {
            true => diagnostic,
            false => diagnostic.note(format!("locked are {}", locked.join(", "))),
        };
        let none = || self.registries.none_for(&name);
        Box::new(match read.digest {
            _ if has_registry => diagnostic.help("`wake lock` chooses versions"),
            None => none()
                .help
                .into_iter()
                .fold(diagnostic, Diagnostic::help)
                .help("or name where it lies: `from='./path'` or `from=wake.GLOBAL`"),
            Some(_) => none().help.into_iter().fold(
                diagnostic
                    .help(format!("lock a version: add a line `{name} VERSION REGISTRY CONTENT`")),
                Diagnostic::help,
            ),
        })
    }

    fn not_here(&self, locked: &LockedPkg) -> Box<Diagnostic> {
        let LockedPkg { name, version, source, content } = locked;
        let message = format!("{name} {version} is locked, and the store does not have it");
        let diagnostic = Diagnostic::error(Class::Network, message)
            .note(format!("its content is {content}, from the registry `{source}`"));
        Box::new(match self.registries.of(name.namespace.as_ref()) {
            Some(_) => diagnostic.help("without `--offline` it is fetched"),
            None => {
                let none = self.registries.none_for(name);
                none.help.into_iter().fold(diagnostic.help(PUT_IT_THERE), Diagnostic::help)
            }
        })
    }

    /// The digest of the lock, if it was read.
    pub(crate) fn digest(&self) -> Option<BlobDigest> {
        self.read.get()?.as_ref().ok().and_then(|lock| lock.digest)
    }

    /// Whether the lock, as it was read, has a package of this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        let lock = self.read.get().and_then(|read| read.as_ref().ok());
        lock.is_some_and(|read| read.lock.iter().any(|pkg| pkg.key().as_str() == key))
    }

    /// Whether it is known that this package is not locked.
    pub(crate) fn lacks(&self, key: &PkgKey) -> bool {
        self.read.get().is_some() && !self.has(key.as_str())
    }

    /// Where the package at `place` stands in the lock.
    pub(crate) fn written_at(&self, place: &PkgPlace) -> Option<Place> {
        let PkgPlace::Store(pkg) = place else { return None };
        let lock = self.read.get()?.as_ref().ok()?;
        let content = pkg.tree.to_string();
        let (number, line) =
            lock.text.lines().enumerate().find(|(_, line)| line.ends_with(&content))?;
        Some(at(&lock.text, number + 1, 1, line.chars().count() + 1))
    }
}

/// Says that nobody has retrieved what `request` means.
fn not_retrieved(read: &LockText, request: &PkgRequest, by: &PkgName) -> Diagnostic {
    let (name, wanted) = (request.pkg_name(), &request.version);
    let message = match read.digest {
        None => format!("there is no `{LOCK_FILE}` that says what `{by}` retrieved"),
        Some(_) => {
            format!("`{LOCK_FILE}` has no `{name}` that is {wanted} and that `{by}` retrieved")
        }
    };
    let diagnostic = Diagnostic::error(Class::Resolution, message);
    let locked = read.lock.iter().filter(|pkg| pkg.name == name);
    let locked: Vec<String> =
        locked.map(|pkg| format!("{} from {}", pkg.version, shown_source(pkg))).collect();
    let diagnostic = match locked.is_empty() {
        true => diagnostic,
        false => diagnostic.note(format!("locked are {}", locked.join(", "))),
    };
    diagnostic.help("`wake lock` has it retrieved")
}

/// Where a locked package is from, as a person reads it.
fn shown_source(locked: &LockedPkg) -> String {
    match &locked.source {
        LockSource::Registry(name) => format!("the registry `{name}`"),
        LockSource::Retriever(pkg) => format!("the retriever `{pkg}`"),
    }
}

const RETRIEVES_IT: &str = "`wake lock` has it retrieved again";

const PUT_IT_THERE: &str = "`wake store import DIR` puts a directory with its files into the store";
