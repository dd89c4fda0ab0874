//! A registry as its users see it: nothing that it says is believed that can be compared.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use wake_model::{Name, PkgName, RelPath, Release, TreeDigest, Version};
use wake_store::ware::{ExtractError, Meter, Web, WebAnswer, WebError};
use wake_store::{ReadArchiveError, Seen, Store, StoredTree};

use crate::address::Address;
use crate::error::{RegistryError, at};
use crate::log::{self, LogFault, PkgLog, first_change, whole};
use crate::oci::Oci;
use crate::shelf::{self, MARK, Part};

/// Bytes of one file of metadata at most.
const LONGEST_METADATA: u64 = 1 << 20;
/// How often an archive is asked for whose bytes break off.
const TRIES: usize = 3;

/// A registry that packages are read from.
#[derive(Debug)]
pub struct Registry {
    name: Name,
    address: Address,
    web: Web,
    /// Where it is one of containers.
    oci: Option<Oci>,
    stage: Option<PathBuf>,
    logs: Mutex<HashMap<PkgName, Arc<PkgLog>>>,
}

/// What lies at a path of a registry.
enum Answer {
    Absent,
    /// It is as it was when it had the tag that was named.
    Unchanged,
    Bytes {
        bytes: Box<dyn Read + Send>,
        tag: Option<String>,
    },
}

/// A line of the list of a namespace.
#[derive(Deserialize)]
struct ListLine {
    name: Name,
}

impl Registry {
    /// The registry that is called `name` here, reached through `web`. Nothing is asked yet.
    pub fn new(name: Name, address: Address, web: Web) -> Registry {
        let oci = match &address {
            Address::Oci { host, prefix } => {
                Some(Oci::new(name.clone(), host.clone(), prefix.clone(), web.clone()))
            }
            Address::Dir(_) | Address::Web(_) => None,
        };
        Registry { name, address, web, oci, stage: None, logs: Mutex::default() }
    }

    /// The same, as it will be with what lies in the directory registry `stage`, which has nothing that is there already.
    pub fn with_stage(self, stage: &Path) -> Registry {
        Registry { stage: Some(stage.to_owned()), ..self }
    }

    /// What it is called here.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The log of a package; an empty one where there is no such package.
    ///
    /// It is asked for once in the life of this value, and only whether it is as `store` has seen it last where the server can say
    /// that. If it is not what it was and more, the registry went back: that is an error until [`Store::forget_seen`].
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
        let seen_as = RelPath::parse(&path).unwrap_or_default();
        let address = self.address.to_string();
        let seen = store.seen(&address, &seen_as)?.unwrap_or_default();
        let answer = match &self.oci {
            Some(oci) => from_bytes(oci.log(pkg, &seen.bytes, meter)?),
            None => self.ask(&path, seen.tag.as_deref(), meter)?,
        };
        let (bytes, tag) = match answer {
            Answer::Unchanged => (seen.bytes.clone(), seen.tag.clone()),
            // One that packages are staged for may not be there yet.
            Answer::Absent if self.stage.is_some() => (Vec::new(), None),
            Answer::Absent => {
                self.check_there(meter)?;
                (Vec::new(), None)
            }
            Answer::Bytes { bytes, tag } => {
                let mut bytes = self.read_all(&path, bytes, log::LONGEST)?;
                bytes.truncate(whole(&bytes).len());
                (bytes, tag)
            }
        };
        // Tags have no order, so one of containers has looked itself whether one is gone.
        let changed = first_change(&seen.bytes, &bytes).filter(|_| self.oci.is_none());
        if let Some(line) = changed {
            let path = path.clone();
            return Err(RegistryError::WentBack { registry: self.name.clone(), path, line });
        }
        let fault = |LogFault { line, problem }| RegistryError::Log {
            registry: self.name.clone(),
            path: path.clone(),
            line,
            problem,
        };
        let log = PkgLog::parse(&bytes, pkg).map_err(fault)?;
        let log = log.with_staged(&self.staged(&path)?, pkg).map_err(fault)?;
        // Only now: what makes no sense is not what the next state is compared with.
        if (&bytes, &tag) != (&seen.bytes, &seen.tag) {
            store.keep_seen(&address, &seen_as, &Seen { tag, bytes })?;
        }
        let log = Arc::new(log);
        self.logs().insert(pkg.clone(), log.clone());
        Ok(log)
    }

    /// The names of the packages of a namespace, sorted: for people who mistyped one.
    /// One of containers does not tell.
    pub fn names(&self, of: Option<&Name>, meter: &Meter) -> Result<Vec<PkgName>, RegistryError> {
        if self.oci.is_some() {
            return Ok(Vec::new());
        }
        let path = shelf::list(of);
        let bytes = match self.ask(&path, None, meter)? {
            Answer::Absent | Answer::Unchanged => return Ok(Vec::new()),
            Answer::Bytes { bytes, .. } => self.read_all(&path, bytes, log::LONGEST)?,
        };
        let text = String::from_utf8_lossy(whole(&bytes)).into_owned();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<ListLine>(line).ok());
        let named = |line: ListLine| PkgName { namespace: of.cloned(), name: line.name };
        Ok(lines.map(named).collect())
    }

    /// The metadata of a version, as they lie beside its archive.
    pub fn metadata(
        &self,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<Release, RegistryError> {
        let path = shelf::part(pkg, version, Part::Metadata);
        let Answer::Bytes { bytes, .. } = self.ask_part(pkg, version, Part::Metadata, meter)?
        else {
            return Err(self.no_version(pkg, version, meter));
        };
        let bytes = self.read_all(&path, bytes, LONGEST_METADATA)?;
        let text = String::from_utf8_lossy(&bytes);
        let release = Release::parse(&text).map_err(|error| {
            self.altered(pkg, version, format!("its metadata are none: {error}"))
        })?;
        if release.pkg_name() != *pkg || release.version != *version {
            let (name, version_there) = (release.pkg_name(), &release.version);
            let problem = format!("its metadata are those of {name} {version_there}");
            return Err(self.altered(pkg, version, problem));
        }
        Ok(release)
    }

    /// Brings the content of a version into the store: the bytes that come are compared with `content` before anybody sees them.
    pub fn fetch(
        &self,
        pkg: &PkgName,
        version: &Version,
        content: &TreeDigest,
        store: &Store,
        meter: &Meter,
    ) -> Result<StoredTree, RegistryError> {
        let path = shelf::part(pkg, version, Part::Archive);
        let mut tries = 1;
        loop {
            let Answer::Bytes { bytes, .. } = self.ask_part(pkg, version, Part::Archive, meter)?
            else {
                return Err(self.no_version(pkg, version, meter));
            };
            let error = match store.read_archive(bytes, content, meter) {
                Ok(tree) => return Ok(tree),
                Err(error) => error,
            };
            let broke_off = matches!(error, ReadArchiveError::Extract(ExtractError::Source { .. }));
            if broke_off && tries < TRIES {
                tries += 1;
                continue;
            }
            return Err(match error {
                ReadArchiveError::Store(error) => error.into(),
                ReadArchiveError::Extract(ExtractError::Cancelled) => RegistryError::Cancelled,
                ReadArchiveError::Extract(ExtractError::Source { source }) => {
                    self.unavailable(&path, format!("the archive broke off: {source}"))
                }
                ReadArchiveError::Extract(ExtractError::Write { path, source }) => {
                    RegistryError::Io { path, source }
                }
                ReadArchiveError::Mismatch { came } => {
                    let problem = format!("its archive holds {came}, but {content} was asked for");
                    self.altered(pkg, version, problem)
                }
                source => RegistryError::Archive { registry: self.name.clone(), path, source },
            });
        }
    }

    /// Whether the metadata that came with a version, `theirs`, are the ones that its files come to, `ours`.
    pub fn compare(
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
        let problem = format!("its metadata say another `{key}` than its files");
        Err(self.altered(pkg, &ours.version, problem))
    }

    /// What is staged of a log.
    fn staged(&self, path: &str) -> Result<Vec<u8>, RegistryError> {
        let Some(stage) = &self.stage else { return Ok(Vec::new()) };
        let place = stage.join(path);
        match std::fs::read(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => at(&place, read),
        }
    }

    fn no_version(&self, pkg: &PkgName, version: &Version, meter: &Meter) -> RegistryError {
        if let Err(error) = self.check_there(meter) {
            return error;
        }
        let (pkg, version) = (pkg.clone(), version.clone());
        RegistryError::NoVersion { registry: self.name.clone(), pkg, version }
    }

    fn altered(&self, pkg: &PkgName, version: &Version, problem: String) -> RegistryError {
        let (pkg, version) = (pkg.clone(), version.clone());
        RegistryError::Altered { registry: self.name.clone(), pkg, version, problem }
    }

    fn unavailable(&self, path: &str, problem: String) -> RegistryError {
        let path = format!("{}/{path}", self.address);
        RegistryError::Unavailable { registry: self.name.clone(), path, problem }
    }

    /// Tells a registry without a package from no registry.
    fn check_there(&self, meter: &Meter) -> Result<(), RegistryError> {
        if let Some(oci) = &self.oci {
            return oci.check_there(meter);
        }
        match self.ask(MARK, None, meter)? {
            Answer::Absent => Err(RegistryError::NoRegistry { address: self.address.to_string() }),
            Answer::Unchanged => Ok(()),
            Answer::Bytes { bytes, .. } => {
                let bytes = self.read_all(MARK, bytes, LONGEST_METADATA)?;
                check_mark(&bytes).map_err(|problem| self.unavailable(MARK, problem))
            }
        }
    }

    fn ask_part(
        &self,
        pkg: &PkgName,
        version: &Version,
        part: Part,
        meter: &Meter,
    ) -> Result<Answer, RegistryError> {
        let path = shelf::part(pkg, version, part);
        match (&self.oci, self.staged_file(&path)) {
            (Some(oci), None) => Ok(match oci.part(pkg, version, part, meter)? {
                Some(bytes) => Answer::Bytes { bytes, tag: None },
                None => Answer::Absent,
            }),
            (_, Some(staged)) => Ok(staged),
            (None, None) => self.ask(&path, None, meter),
        }
    }

    fn staged_file(&self, path: &str) -> Option<Answer> {
        let staged = self.stage.as_ref().map(|stage| open(&stage.join(path)));
        match staged {
            Some(Ok(staged @ Answer::Bytes { .. })) => Some(staged),
            _ => None,
        }
    }

    fn ask(&self, path: &str, tag: Option<&str>, meter: &Meter) -> Result<Answer, RegistryError> {
        match &self.address {
            Address::Dir(dir) => open(&dir.join(path)).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    RegistryError::Io { path: dir.join(path), source: error }
                }
                _ => self.unavailable(path, error.to_string()),
            }),
            Address::Web(url) => self.ask_web(&format!("{url}/{path}"), path, tag, meter),
            // It has no files.
            Address::Oci { .. } => Ok(Answer::Absent),
        }
    }

    fn ask_web(
        &self,
        url: &str,
        path: &str,
        tag: Option<&str>,
        meter: &Meter,
    ) -> Result<Answer, RegistryError> {
        let had_tag = tag.is_some();
        let answer = self.web.get_patiently(url, tag, meter).map_err(|error| match error {
            WebError::Cancelled => RegistryError::Cancelled,
            error => self.unavailable(path, error.to_string()),
        })?;
        let WebAnswer { status, status_line, tag, kind, is_encoded, bytes, .. } = answer;
        match status {
            200 if kind.as_deref() == Some("text/html") => {
                Err(self.unavailable(path, "a page for people came instead of the file".to_owned()))
            }
            200 if is_encoded => Err(self.unavailable(path, "the answer is encoded".to_owned())),
            200 => Ok(Answer::Bytes { bytes, tag }),
            304 if had_tag => Ok(Answer::Unchanged),
            404 | 410 => Ok(Answer::Absent),
            401 | 403 | 407 => {
                let path = format!("{}/{path}", self.address);
                Err(RegistryError::Denied {
                    registry: self.name.clone(),
                    path,
                    status: status_line,
                })
            }
            _ => Err(self.unavailable(path, status_line)),
        }
    }

    fn read_all(
        &self,
        path: &str,
        bytes: Box<dyn Read + Send>,
        most: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut read = Vec::new();
        let length = bytes.take(most + 1).read_to_end(&mut read);
        match length {
            Ok(length) if length as u64 > most => {
                Err(self.unavailable(path, format!("more than {} MiB come", most >> 20)))
            }
            Ok(_) => Ok(read),
            Err(error) => Err(self.unavailable(path, format!("it broke off: {error}"))),
        }
    }

    fn logs(&self) -> std::sync::MutexGuard<'_, HashMap<PkgName, Arc<PkgLog>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn from_bytes(bytes: Option<Vec<u8>>) -> Answer {
    match bytes {
        Some(bytes) => Answer::Bytes { bytes: Box::new(io::Cursor::new(bytes)), tag: None },
        None => Answer::Absent,
    }
}

/// What is wrong with the file that says that something is a registry.
pub(crate) fn check_mark(bytes: &[u8]) -> Result<(), String> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no registry: {error}"))?;
    match value["wake"].as_u64() {
        Some(1) => Ok(()),
        Some(form) => Err(format!("it is of form {form}, and this wake knows form 1")),
        None => Err("it is no registry".to_owned()),
    }
}

/// Opens a regular file; what is a pipe is not waited for.
fn open(path: &Path) -> io::Result<Answer> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(Answer::Absent),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(Answer::Bytes { bytes: Box::new(file), tag: None })
}
