//! Packages named by `wake.lock`, which is read once, when the first package is needed. Packages that the store lacks
//! are fetched.

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

/// The locked packages of a workspace, and those that have been opened.
pub(crate) struct LockedPkgs<'a> {
    registries: &'a Registries,
    mode: Mode,
    is_unmet: AtomicBool,
    /// Whether a requirement on registries is not locked.
    is_to_be_chosen: AtomicBool,
    /// Whether a retriever has to be asked.
    is_to_be_retrieved: AtomicBool,
    read: OnceLock<Result<LockText, Box<Diagnostic>>>,
    opened: Mutex<BTreeMap<PkgKey, Arc<Opening>>>,
    fetched: AtomicUsize,
    fetched_bytes: AtomicU64,
    may_lock: bool,
    /// Images that were resolved and are to be locked, with their names.
    images: Mutex<BTreeMap<String, String>>,
}

/// Why the digest of a named image is unknown.
pub(crate) enum ImageLock {
    /// The lock cannot be read.
    Lock(Box<Diagnostic>),
    /// The lock does not have it and may not change.
    NotLocked,
    /// It was not found where it should be.
    Unresolved(ImageError),
}

/// How requirements on registries are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// They are resolved by the lock.
    Bound,
    /// They stay open, to find out what there is to choose.
    Open,
    /// They are resolved by a lock under construction; those that it lacks stay open.
    Settling,
}

/// Packages that are opened together.
struct Wave<'w> {
    locked: Vec<&'w LockedPkg>,
    counted: Once,
}

impl Wave<'_> {
    /// Announces how many packages have to be fetched, as soon as one of them does.
    fn count(&self, gauge: &FetchGauge, store: &Store) {
        self.counted.call_once(|| {
            let is_missing = |locked: &&&LockedPkg| {
                locked.is_of_registry() && !store.tree_place(&locked.content).exists()
            };
            gauge.expect(self.locked.iter().filter(is_missing).count());
        });
    }
}

/// A package that is being opened, or has been.
type Opening = OnceLock<Result<Arc<StoredPkg>, Box<Diagnostic>>>;

impl<'a> LockedPkgs<'a> {
    /// Creates the set for a workspace with these registries; nothing is read yet.
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

    /// Forbids changes to the lock.
    pub(crate) fn unchanging(self) -> LockedPkgs<'a> {
        LockedPkgs { may_lock: false, ..self }
    }

    /// Returns the digest of the image called `name`: from the lock, or from `resolve`, in which case it will be locked. Concurrent
    /// requests for the same image wait.
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

    /// Returns the images that were resolved and are to be locked, with their names.
    pub(crate) fn new_images(&self) -> BTreeMap<String, String> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Creates a set in which requirements on registries stay open.
    pub(crate) fn left_open(registries: &'a Registries) -> LockedPkgs<'a> {
        LockedPkgs { mode: Mode::Open, ..LockedPkgs::new(registries) }
    }

    /// Creates a set for a lock under construction: what it does not resolve stays open, and so do needs for retrievers.
    pub(crate) fn settling(registries: &'a Registries, lock: Lock) -> LockedPkgs<'a> {
        let text = lock.to_string();
        let read = OnceLock::from(Ok(LockText { lock, text, digest: None, conflict: None }));
        LockedPkgs { mode: Mode::Settling, read, ..LockedPkgs::new(registries) }
    }

    /// Returns whether needs for retrievers stay open.
    pub(crate) fn is_settling(&self) -> bool {
        self.mode == Mode::Settling
    }

    /// Returns the package that `request` resolves to. It must be locked, and its content in the store or available. None if
    /// requirements stay open.
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
        // All packages of the wave have been opened.
        let opened = opening.get().cloned().unwrap_or_else(|| Err(self.not_here(locked)));
        opened.map(PkgPlace::Store).map(Some)
    }

    /// Returns the package that `request` resolves to and an exec of `by` provides. It must be locked, and its content in the store:
    /// the exec is not run here. None if requirements stay open.
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

    /// Returns whether a requirement is not locked.
    pub(crate) fn is_unmet(&self) -> bool {
        self.is_unmet.load(Ordering::Relaxed)
    }

    /// Returns whether a requirement on registries is not locked.
    pub(crate) fn is_to_be_chosen(&self) -> bool {
        self.is_to_be_chosen.load(Ordering::Relaxed)
    }

    /// Returns whether a retriever has to be asked: something is not locked, or not in the store.
    pub(crate) fn is_to_be_retrieved(&self) -> bool {
        self.is_to_be_retrieved.load(Ordering::Relaxed)
    }

    /// Returns whether there is something to choose: an unlocked requirement, or two versions in one range.
    pub(crate) fn leaves_a_choice(&self) -> bool {
        let two_in_a_range = || {
            let Some(Ok(read)) = self.read.get() else { return false };
            let ranges = read.lock.iter().map(|pkg| (&pkg.name, pkg.version.range()));
            let mut seen = HashSet::new();
            ranges.filter(|range| !seen.insert(range.clone())).count() > 0
        };
        self.is_unmet.load(Ordering::Relaxed) || two_in_a_range()
    }

    /// Returns the content of the lock; empty if there is none.
    pub(crate) fn text(&self, files: &Files) -> Result<&Lock, Box<Diagnostic>> {
        Ok(&self.lock(files)?.lock)
    }

    /// Opens the packages for `requests`, several at once; [`LockedPkgs::find`] reports errors.
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

    /// Returns how many packages were fetched, and their total size.
    pub(crate) fn fetched(&self) -> (usize, u64) {
        (self.fetched.load(Ordering::Relaxed), self.fetched_bytes.load(Ordering::Relaxed))
    }

    /// Returns whether the file, as it was read, has this text; without a file, whether there is nothing to write.
    pub(crate) fn is_written_as(&self, text: &str) -> bool {
        match self.read.get() {
            Some(Ok(LockText { digest: Some(_), text: there, .. })) => there == text,
            Some(Ok(LockText { digest: None, .. })) => text == Lock::default().to_string(),
            Some(Err(_)) | None => false,
        }
    }

    /// Returns the registry for a namespace.
    pub(crate) fn registry(
        &self,
        namespace: Option<&Name>,
    ) -> Option<Arc<wake_registry::Registry>> {
        self.registries.of(namespace)
    }

    /// Records faults of image mirrors.
    pub(crate) fn image_mirrors(&self) -> &Arc<ImageMirrors> {
        self.registries.image_mirrors()
    }

    /// Counts what is fetched.
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

    /// Returns the warning about a merge conflict in the lock, of which both sides are used.
    pub(crate) fn conflict(&self, files: &Files) -> Option<Diagnostic> {
        let read = self.read.get()?.as_ref().ok()?;
        let diagnostic = read.told_conflict(files)?;
        Some(Diagnostic { level: Level::Warning, ..diagnostic })
    }

    fn opening(&self, locked: &LockedPkg) -> Arc<Opening> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.entry(locked.key()).or_default().clone()
    }

    /// Opens packages in dedicated threads: a thread that waits for another one here must not hold up other work.
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

    /// Returns a package with its files, fetched if the store lacks it; an untrusted package is an error.
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
                let message = format!("{name} {version} is locked, but it is not in the store");
                let diagnostic = Diagnostic::error(Class::Network, message).note(format!(
                    "its locked content is {content}, from {}",
                    shown_source(locked)
                ));
                return Err(Box::new(diagnostic.help(RETRIEVES_IT)));
            }
            Lookup::Miss => {
                let registry = self.registry_of(locked)?;
                // Checked before its content is fetched: that either has the signed digest or is rejected.
                self.check_trust(locked, store)?;
                if let Some(wave) = wave {
                    wave.count(self.registries.gauge(), store);
                }
                (self.fetch(locked, &registry, store)?, true)
            }
            Lookup::Corrupt(corruption) => {
                let message = format!("{name} {version} has been altered: {corruption}");
                let diagnostic = Diagnostic::error(Class::Integrity, message);
                let help = match self.registry_of(locked) {
                    _ if !locked.is_of_registry() => RETRIEVES_IT,
                    Ok(_) => "run the build again to fetch it again",
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

    /// Checks that a package is signed by a trusted key. Attestations are fetched once and kept.
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
            diagnostic = diagnostic.note("with `--offline`, signatures are not looked up");
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
            // It is locked, so it existed once.
            diagnostic.class = Class::Network;
        }
        Box::new(diagnostic.note(format!("its content in {LOCK_FILE} is {}", locked.content)))
    }

    fn not_locked(&self, read: &LockText, request: &PkgRequest) -> Box<Diagnostic> {
        let (name, wanted) = (request.pkg_name(), &request.version);
        let has_registry = self.registries.of(name.namespace.as_ref()).is_some();
        let diagnostic = match read.digest {
            None => {
                let none = if has_registry { "" } else { ", and no registry is configured for it" };
                let message = format!("it is not locked, because there is no `{LOCK_FILE}`{none}");
                Diagnostic::error(Class::Resolution, message)
            }
            Some(_) => {
                let message = format!("`{LOCK_FILE}` has no `{name}` that matches {wanted}");
                Diagnostic::error(Class::Resolution, message)
            }
        };
        let locked = read.lock.of_registries(&name).map(|pkg| pkg.version.to_string());
        let locked: Vec<String> = locked.collect();
        let diagnostic = match locked.is_empty() {
            true => diagnostic,
            false => diagnostic.note(format!("locked versions: {}", locked.join(", "))),
        };
        let none = || self.registries.none_for(&name);
        Box::new(match read.digest {
            _ if has_registry => diagnostic.help("run `wake lock` to choose versions"),
            None => none()
                .help
                .into_iter()
                .fold(diagnostic, Diagnostic::help)
                .help("or set its location: `from='./path'` or `from=wake.GLOBAL`"),
            Some(_) => none().help.into_iter().fold(
                diagnostic
                    .help(format!("lock a version: add a line `{name} VERSION REGISTRY CONTENT`")),
                Diagnostic::help,
            ),
        })
    }

    fn not_here(&self, locked: &LockedPkg) -> Box<Diagnostic> {
        let LockedPkg { name, version, source, content } = locked;
        let message = format!("{name} {version} is locked, but it is not in the store");
        let diagnostic = Diagnostic::error(Class::Network, message)
            .note(format!("its locked content is {content}, from the registry `{source}`"));
        Box::new(match self.registries.of(name.namespace.as_ref()) {
            Some(_) => diagnostic.help("run without `--offline` to fetch it"),
            None => {
                let none = self.registries.none_for(name);
                none.help.into_iter().fold(diagnostic.help(PUT_IT_THERE), Diagnostic::help)
            }
        })
    }

    /// Returns the digest of the lock, if it was read.
    pub(crate) fn digest(&self) -> Option<BlobDigest> {
        self.read.get()?.as_ref().ok().and_then(|lock| lock.digest)
    }

    /// Returns whether the lock, as it was read, has a package with this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        let lock = self.read.get().and_then(|read| read.as_ref().ok());
        lock.is_some_and(|read| read.lock.iter().any(|pkg| pkg.key().as_str() == key))
    }

    /// Returns whether this package is known not to be locked.
    pub(crate) fn lacks(&self, key: &PkgKey) -> bool {
        self.read.get().is_some() && !self.has(key.as_str())
    }

    /// Returns the place of the package at `place` in the lock.
    pub(crate) fn written_at(&self, place: &PkgPlace) -> Option<Place> {
        let PkgPlace::Store(pkg) = place else { return None };
        let lock = self.read.get()?.as_ref().ok()?;
        let content = pkg.tree.to_string();
        let (number, line) =
            lock.text.lines().enumerate().find(|(_, line)| line.ends_with(&content))?;
        Some(at(&lock.text, number + 1, 1, line.chars().count() + 1))
    }
}

/// Returns the error that `request` has not been retrieved.
fn not_retrieved(read: &LockText, request: &PkgRequest, by: &PkgName) -> Diagnostic {
    let (name, wanted) = (request.pkg_name(), &request.version);
    let message = match read.digest {
        None => {
            format!("nothing that `{by}` retrieves is locked, because there is no `{LOCK_FILE}`")
        }
        Some(_) => {
            format!("`{LOCK_FILE}` has no `{name}` retrieved by `{by}` that matches {wanted}")
        }
    };
    let diagnostic = Diagnostic::error(Class::Resolution, message);
    let locked = read.lock.iter().filter(|pkg| pkg.name == name);
    let locked: Vec<String> =
        locked.map(|pkg| format!("{} from {}", pkg.version, shown_source(pkg))).collect();
    let diagnostic = match locked.is_empty() {
        true => diagnostic,
        false => diagnostic.note(format!("locked versions: {}", locked.join(", "))),
    };
    diagnostic.help("run `wake lock` to retrieve it")
}

/// Returns where a locked package is from, for messages.
fn shown_source(locked: &LockedPkg) -> String {
    match &locked.source {
        LockSource::Registry(name) => format!("the registry `{name}`"),
        LockSource::Retriever(pkg) => format!("the retriever `{pkg}`"),
    }
}

const RETRIEVES_IT: &str = "run `wake lock` to retrieve it again";

const PUT_IT_THERE: &str =
    "run `wake store import DIR` to add a directory with its files to the store";
