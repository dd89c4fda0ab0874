//! A registry as its users see it. Nothing it says is trusted if it can be verified.

mod attested;
mod signed;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use wake_model::{Name, PkgName, RelPath, Release, TreeDigest, Version};
use wake_store::ware::{ExtractError, Meter, Web};
use wake_store::{ReadArchiveError, Seen, Store, StoreError, StoredTree};

pub use self::signed::HeadDemand;
use self::signed::Heads;
use crate::address::Address;
use crate::credentials::Login;
use crate::error::{RegistryError, at};
use crate::log::{LogFault, PkgLog, first_change, whole};
use crate::resume::Resumed;
use crate::shelf::{self, Part};
use crate::site::{Answer, Bytes, LONGEST_METADATA, Patience, Site, open};

/// How often to request an archive whose transfer is interrupted and cannot be resumed.
const TRIES: usize = 3;

/// A registry that packages are read from, with its mirrors.
#[derive(Debug)]
pub struct Registry {
    name: Name,
    web: Web,
    itself: Site,
    /// Mirrors, in the order in which they are tried before the registry itself.
    mirrors: Vec<Site>,
    /// Faults of mirrors, by index.
    passed_over: Mutex<BTreeMap<usize, Fault>>,
    stage: Option<PathBuf>,
    /// The requirements on its head and what was seen of it; `None` if no head is required.
    heads: Option<Heads>,
    logs: Mutex<HashMap<PkgName, Arc<PkgLog>>>,
}

/// What was wrong with a mirror.
#[derive(Debug)]
struct Fault {
    problem: String,
    /// Whether the mirror is not used any further.
    is_down: bool,
}

/// A line of a namespace's list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListLine {
    /// The name of the package within its namespace.
    pub name: Name,
    /// Its description.
    #[serde(default)]
    pub about: Option<String>,
    /// Its newest version.
    #[serde(default)]
    pub newest: Option<Version>,
}

impl Registry {
    /// A registry named `name`, reached through `web`. Sends no request.
    pub fn new(name: Name, address: Address, web: Web) -> Registry {
        let itself = Site::new(name.clone(), address, web.clone(), Patience::Patient);
        Registry {
            name,
            web,
            itself,
            mirrors: Vec::new(),
            passed_over: Mutex::default(),
            stage: None,
            heads: None,
            logs: Mutex::default(),
        }
    }

    /// Adds mirrors, which are tried first. They are trusted no more than the registry: content is verified, and a
    /// mirror's log must not contradict what the registry's log was seen to say.
    pub fn with_mirrors(self, addresses: &[Address]) -> Registry {
        let site = |address: &Address| {
            Site::new(self.name.clone(), address.clone(), self.web.clone(), Patience::Hasty)
        };
        Registry { mirrors: addresses.iter().map(site).collect(), ..self }
    }

    /// Adds the contents of the directory registry `stage`, which has nothing that is already published.
    pub fn with_stage(self, stage: &Path) -> Registry {
        Registry { stage: Some(stage.to_owned()), ..self }
    }

    /// Trusts only what the registry's head vouches for. Head, lists and logs are requested from the registry itself,
    /// never from mirrors.
    pub fn with_head(self, demand: HeadDemand) -> Registry {
        Registry { heads: Some(Heads::new(demand)), ..self }
    }

    /// Uses this login instead of any saved one.
    pub(crate) fn asking_with(self, login: Login) -> Registry {
        self.itself.ask_with(login);
        self
    }

    /// Returns its token server, if it is another server that does not receive logins without being recorded.
    pub(crate) fn strange_token_server(
        &self,
        meter: &Meter,
    ) -> Result<Option<String>, RegistryError> {
        self.itself.oci().map_or(Ok(None), |oci| oci.strange_token_server(meter))
    }

    /// Whether the registry accepts the login.
    pub(crate) fn check_login(&self, meter: &Meter) -> Result<(), RegistryError> {
        self.itself.check_login(meter)
    }

    /// Its name in the workspace.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        self.itself.address()
    }

    /// The mirrors that failed or returned something wrong, each with the problem. A mirror that merely lacks
    /// something is not at fault.
    pub fn passed_over(&self) -> Vec<(String, String)> {
        let faults = self.faults();
        let told = |(number, fault): (&usize, &Fault)| {
            Some((self.mirrors.get(*number)?.address().to_string(), fault.problem.clone()))
        };
        faults.iter().filter_map(told).collect()
    }

    /// Returns the log of a package; empty if there is no such package.
    ///
    /// It is requested once in the lifetime of this value, conditionally if the server supports that. A log that does
    /// not start with what `store` has seen of it is an error until [`Store::forget_seen`].
    pub fn log(
        &self,
        pkg: &PkgName,
        store: &Store,
        meter: &Meter,
    ) -> Result<Arc<PkgLog>, RegistryError> {
        if let Some(log) = self.logs().get(pkg) {
            return Ok(log.clone());
        }
        let path = shelf::log(pkg);
        let fault = |LogFault { line, problem }| RegistryError::Log {
            registry: self.name.clone(),
            path: path.clone(),
            line,
            problem,
        };
        let log = match &self.heads {
            Some(heads) => self.signed_log(heads, pkg, store, meter)?,
            None => match self.mirrored_log(pkg, store, meter)? {
                Some(log) => log,
                None => self.own_log(pkg, store, meter)?,
            },
        };
        let log = log.with_staged(&self.staged(&path)?, pkg).map_err(fault)?;
        let log = Arc::new(log);
        self.logs().insert(pkg.clone(), log.clone());
        Ok(log)
    }

    /// The log of the registry itself.
    fn own_log(
        &self,
        pkg: &PkgName,
        store: &Store,
        meter: &Meter,
    ) -> Result<PkgLog, RegistryError> {
        let there = self.log_at(&self.itself, pkg, store, meter)?;
        // A registry that packages are staged for may not exist yet.
        if there.is_none() && self.stage.is_none() {
            self.itself.check_there(meter)?;
        }
        Ok(there.unwrap_or_default())
    }

    /// The log of the first mirror that has everything the registry was seen to have; `None` if there is no such
    /// mirror.
    fn mirrored_log(
        &self,
        pkg: &PkgName,
        store: &Store,
        meter: &Meter,
    ) -> Result<Option<PkgLog>, RegistryError> {
        if self.mirrors.is_empty() {
            return Ok(None);
        }
        let seen = seen_of(&self.itself, pkg, store)?.unwrap_or_default();
        // What was seen was valid then.
        let seen = PkgLog::parse(&seen.bytes, pkg).unwrap_or_default();
        for (number, mirror) in self.up() {
            match self.log_at(mirror, pkg, store, meter) {
                Ok(Some(log)) if log.is_at_odds_with(&seen) => {
                    let problem = format!("{pkg} has different content there than in the registry");
                    self.pass_over(number, problem, true);
                }
                Ok(Some(log)) if log.has_all_of(&seen) => return Ok(Some(log)),
                Ok(_) => {}
                Err(error) => self.pass_over_by(number, error)?,
            }
        }
        Ok(None)
    }

    /// The log of a site, which must start with what was seen of it before; `None` if it has none.
    fn log_at(
        &self,
        site: &Site,
        pkg: &PkgName,
        store: &Store,
        meter: &Meter,
    ) -> Result<Option<PkgLog>, RegistryError> {
        let path = shelf::log(pkg);
        let seen = seen_of(site, pkg, store)?.unwrap_or_default();
        let now = site.log(pkg, &seen, meter)?;
        let is_there = now.is_some();
        let now = now.unwrap_or_default();
        // Tags have no order; container registries check for missing tags themselves.
        let changed = first_change(&seen.bytes, &now.bytes).filter(|_| !site.has_tags());
        if let Some(line) = changed {
            return Err(RegistryError::WentBack { registry: self.name.clone(), path, line });
        }
        let log = PkgLog::parse(&now.bytes, pkg).map_err(|LogFault { line, problem }| {
            RegistryError::Log { registry: self.name.clone(), path: path.clone(), line, problem }
        })?;
        // Only valid logs are recorded for comparison with the next state.
        if now != seen {
            let seen_as = RelPath::parse(&path).unwrap_or_default();
            store.keep_seen(&site.address().to_string(), &seen_as, &now)?;
        }
        Ok(is_there.then_some(log))
    }

    /// Returns the packages of a namespace, sorted, for people who search; `None` for container registries, which have no
    /// list.
    pub fn list(
        &self,
        of: Option<&Name>,
        meter: &Meter,
    ) -> Result<Option<Vec<ListLine>>, RegistryError> {
        if self.itself.has_tags() {
            return Ok(None);
        }
        let bytes = self.itself.list(of, meter)?.unwrap_or_default();
        let text = String::from_utf8_lossy(whole(&bytes)).into_owned();
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(Some(lines.collect()))
    }

    /// Returns the names of a namespace's packages, as far as the registry lists them, for suggestions.
    pub fn names(&self, of: Option<&Name>, meter: &Meter) -> Result<Vec<PkgName>, RegistryError> {
        let named = |line: ListLine| PkgName { namespace: of.cloned(), name: line.name };
        Ok(self.list(of, meter)?.unwrap_or_default().into_iter().map(named).collect())
    }

    /// Checks that the published metadata of a version matches its files. `ours` computes the metadata from the
    /// files, given the published one.
    pub fn compare(
        &self,
        pkg: &PkgName,
        version: &Version,
        ours: impl Fn(&Release) -> Result<Release, RegistryError>,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        let path = shelf::part(pkg, version, Part::Metadata);
        let same = |theirs: &Release| self.is_same(pkg, &ours(theirs)?, theirs);
        if let Some(staged) = self.staged_file(&path) {
            return same(&self.read_metadata(&self.itself, (pkg, version), staged)?);
        }
        for (number, mirror) in self.up() {
            let theirs = self.metadata_at(mirror, pkg, version, meter);
            match theirs.and_then(|theirs| theirs.as_ref().map(same).transpose()) {
                Ok(Some(())) => return Ok(()),
                Ok(None) => {}
                Err(error) => self.pass_over_by(number, error)?,
            }
        }
        let theirs = self.metadata_at(&self.itself, pkg, version, meter)?;
        same(&theirs.ok_or_else(|| self.no_version(pkg, version, meter))?)
    }

    fn metadata_at(
        &self,
        site: &Site,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<Option<Release>, RegistryError> {
        let bytes = site.part(pkg, version, Part::Metadata, 0, None, meter)?;
        bytes.map(|bytes| self.read_metadata(site, (pkg, version), bytes)).transpose()
    }

    fn read_metadata(
        &self,
        site: &Site,
        (pkg, version): (&PkgName, &Version),
        bytes: Bytes,
    ) -> Result<Release, RegistryError> {
        let path = shelf::part(pkg, version, Part::Metadata);
        let bytes = site.read_all(&path, bytes.bytes, LONGEST_METADATA)?;
        let text = String::from_utf8_lossy(&bytes);
        let release = Release::parse(&text).map_err(|error| {
            self.altered(pkg, version, format!("its metadata is invalid: {error}"))
        })?;
        if release.pkg_name() != *pkg || release.version != *version {
            let (name, version_there) = (release.pkg_name(), &release.version);
            let problem = format!("its metadata belongs to {name} {version_there}");
            return Err(self.altered(pkg, version, problem));
        }
        Ok(release)
    }

    /// Fetches the content of a version into the store. It is compared with `content` before anyone can see it.
    ///
    /// An interrupted transfer is resumed, also by a later run, if the server supports ranges.
    pub fn fetch(
        &self,
        pkg: &PkgName,
        version: &Version,
        content: &TreeDigest,
        store: &Store,
        meter: &Meter,
    ) -> Result<StoredTree, RegistryError> {
        let path = shelf::part(pkg, version, Part::Archive);
        if let Some(Bytes { bytes, .. }) = self.staged_file(&path) {
            let read = store.read_archive(bytes, content, meter);
            return read.map_err(|error| {
                self.refused(&self.itself, (pkg, version), content, store, error)
            });
        }
        for (number, mirror) in self.up() {
            match self.fetch_from(mirror, (pkg, version), content, store, meter) {
                Ok(Some(tree)) => return Ok(tree),
                Ok(None) => {}
                Err(error) => self.pass_over_by(number, error)?,
            }
        }
        let fetched = self.fetch_from(&self.itself, (pkg, version), content, store, meter)?;
        fetched.ok_or_else(|| self.no_version(pkg, version, meter))
    }

    fn fetch_from(
        &self,
        site: &Site,
        (pkg, version): (&PkgName, &Version),
        content: &TreeDigest,
        store: &Store,
        meter: &Meter,
    ) -> Result<Option<StoredTree>, RegistryError> {
        let mut tries = 1;
        loop {
            let archive = Resumed::open(site, (pkg, version), content, store, meter)?;
            let Some(mut archive) = archive else { return Ok(None) };
            let read = store.read_archive(&mut archive, content, meter);
            let Err(error) = read else {
                archive.drop_kept();
                return Ok(read.ok());
            };
            if meter.is_stopped() {
                return Err(RegistryError::Cancelled);
            }
            let broke_off = matches!(error, ReadArchiveError::Extract(ExtractError::Source { .. }));
            let is_of_disk = matches!(
                error,
                ReadArchiveError::Store(_) | ReadArchiveError::Extract(ExtractError::Write { .. })
            );
            // Bytes kept from an earlier run may be at fault.
            let may_be_old = archive.has_old_bytes() && !broke_off && !is_of_disk;
            if !broke_off && !is_of_disk {
                archive.drop_kept();
            }
            if (broke_off && !archive.gave_up() || may_be_old) && tries < TRIES {
                tries += 1;
                continue;
            }
            return Err(self.refused(site, (pkg, version), content, store, error));
        }
    }

    /// The error for an archive that a site returned.
    fn refused(
        &self,
        site: &Site,
        (pkg, version): (&PkgName, &Version),
        content: &TreeDigest,
        store: &Store,
        error: ReadArchiveError,
    ) -> RegistryError {
        let path = shelf::part(pkg, version, Part::Archive);
        match error {
            ReadArchiveError::Store(error) => error.into(),
            ReadArchiveError::Extract(ExtractError::Cancelled) => RegistryError::Cancelled,
            ReadArchiveError::Extract(ExtractError::Source { source }) => {
                site.unavailable(&path, format!("the transfer was interrupted: {source}"))
            }
            ReadArchiveError::Extract(ExtractError::Write { path, source }) => {
                match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        StoreError::DiskFull { path: store.root().to_owned() }.into()
                    }
                    _ => RegistryError::Io { path, source },
                }
            }
            ReadArchiveError::Mismatch { came } => {
                let problem = format!("its archive contains {came}, expected {content}");
                self.altered(pkg, version, problem)
            }
            source => RegistryError::Archive { registry: self.name.clone(), path, source },
        }
    }

    /// Checks that the published metadata of a version, `theirs`, equals what its files yield, `ours`.
    fn is_same(
        &self,
        pkg: &PkgName,
        ours: &Release,
        theirs: &Release,
    ) -> Result<(), RegistryError> {
        if theirs == ours {
            return Ok(());
        }
        let (theirs, ours_value) = (theirs.value(), ours.value());
        let fields = [&ours_value, &theirs].into_iter().filter_map(serde_json::Value::as_object);
        let differs = |key: &&String| theirs[key.as_str()] != ours_value[key.as_str()];
        let key = fields.flat_map(serde_json::Map::keys).find(differs);
        let key = key.map_or("form", String::as_str);
        let problem = format!("`{key}` in its metadata does not match its files");
        Err(self.altered(pkg, &ours.version, problem))
    }

    /// The staged part of a log.
    fn staged(&self, path: &str) -> Result<Vec<u8>, RegistryError> {
        let Some(stage) = &self.stage else { return Ok(Vec::new()) };
        let place = stage.join(path);
        match std::fs::read(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => at(&place, read),
        }
    }

    fn no_version(&self, pkg: &PkgName, version: &Version, meter: &Meter) -> RegistryError {
        if let Err(error) = self.itself.check_there(meter) {
            return error;
        }
        let (pkg, version) = (pkg.clone(), version.clone());
        RegistryError::NoVersion { registry: self.name.clone(), pkg, version }
    }

    fn altered(&self, pkg: &PkgName, version: &Version, problem: String) -> RegistryError {
        let (pkg, version) = (pkg.clone(), version.clone());
        RegistryError::Altered { registry: self.name.clone(), pkg, version, problem }
    }

    fn staged_file(&self, path: &str) -> Option<Bytes> {
        let staged = self.stage.as_ref().map(|stage| open(&stage.join(path)));
        match staged {
            Some(Ok(Answer::Bytes(staged))) => Some(staged),
            _ => None,
        }
    }

    /// The mirrors that are still in use, with their indices.
    fn up(&self) -> impl Iterator<Item = (usize, &Site)> {
        let is_down = |number: &usize| self.faults().get(number).is_some_and(|fault| fault.is_down);
        self.mirrors.iter().enumerate().filter(move |(number, _)| !is_down(number))
    }

    /// Records the fault of a mirror and continues with the next site, unless this machine is at fault.
    fn pass_over_by(&self, number: usize, error: RegistryError) -> Result<(), RegistryError> {
        match error {
            RegistryError::Cancelled | RegistryError::Store(_) => Err(error),
            error => {
                let is_down =
                    !matches!(error, RegistryError::Altered { .. } | RegistryError::Archive { .. });
                self.pass_over(number, error.to_string(), is_down);
                Ok(())
            }
        }
    }

    fn pass_over(&self, number: usize, problem: String, is_down: bool) {
        self.faults().entry(number).or_insert(Fault { problem, is_down });
    }

    fn faults(&self) -> MutexGuard<'_, BTreeMap<usize, Fault>> {
        self.passed_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<PkgName, Arc<PkgLog>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log of a package as last seen at a site.
fn seen_of(site: &Site, pkg: &PkgName, store: &Store) -> Result<Option<Seen>, RegistryError> {
    let seen_as = RelPath::parse(&shelf::log(pkg)).unwrap_or_default();
    Ok(store.seen(&site.address().to_string(), &seen_as)?)
}
