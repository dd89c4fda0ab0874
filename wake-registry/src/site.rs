//! A location of a registry's files: the registry itself or a mirror.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};
use wake_model::{Name, PkgName, Version};
use wake_store::Seen;
use wake_store::ware::{Meter, Portion, Route, Web, WebAnswer, WebError};

use crate::address::Address;
use crate::authority::is_private;
use crate::credentials::{Asked, Login, login};
use crate::error::RegistryError;
use crate::log;
use crate::oci::{Blob, Oci};
use crate::shelf::{self, MARK, Part};

/// Maximum size of a metadata file, in bytes.
pub(crate) const LONGEST_METADATA: u64 = 1 << 20;
/// Logs above this size are requested from their last line on, as long as they only grow.
const LONG: usize = 64 << 10;

/// Whether a failed request is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Five times: there is no alternative.
    Patient,
    /// No: there is another site to try.
    Hasty,
}

/// A location of a registry's files.
#[derive(Debug)]
pub(crate) struct Site {
    registry: Name,
    address: Address,
    web: Web,
    patience: Patience,
    /// Set if it is a container registry.
    oci: Option<Oci>,
    /// The login for a file server and the connection that uses it, once known; never shown.
    login: OnceLock<Option<(Login, Web)>>,
}

/// The response to a request for a file.
pub(crate) enum Answer {
    Absent,
    /// It still has the ETag that was given.
    Unchanged,
    /// It is shorter than the requested offset.
    Shorter,
    Bytes(Bytes),
}

/// Bytes of a file.
pub(crate) struct Bytes {
    pub(crate) bytes: Box<dyn Read + Send>,
    /// The offset of the first byte.
    pub(crate) from: u64,
    /// How many bytes there are, if known.
    pub(crate) size: Option<u64>,
    /// The ETag of this state of the file.
    pub(crate) tag: Option<String>,
}

impl Site {
    pub(crate) fn new(registry: Name, address: Address, web: Web, patience: Patience) -> Site {
        let oci = match &address {
            Address::Oci { host, prefix } => {
                let named = Some(registry.clone()).filter(|_| patience == Patience::Patient);
                let (host, prefix) = (host.clone(), prefix.clone());
                Some(Oci::new(registry.clone(), named, host, prefix, web.clone()))
            }
            Address::Dir(_) | Address::Web(_) => None,
        };
        let web = match &address {
            // Unencrypted requests must not leave this machine, not even through a proxy.
            Address::Web(url) if !url.starts_with("https:") && is_private(url) => {
                Web::new(Route { no_proxy: Some("*".to_owned()), ..web.route().clone() })
            }
            _ => web,
        };
        Site { registry, address, web, patience, oci, login: OnceLock::new() }
    }

    /// The container registry, if it is one.
    pub(crate) fn oci(&self) -> Option<&Oci> {
        self.oci.as_ref()
    }

    /// Uses this login instead of any saved one.
    pub(crate) fn ask_with(&self, login: Login) {
        match &self.oci {
            Some(oci) => oci.ask_with(login),
            None => {
                let web = self.web.saying(login.header());
                // This is called at most once.
                let _ = self.login.set(Some((login, web)));
            }
        }
    }

    /// Whether the registry accepts the login.
    pub(crate) fn check_login(&self, meter: &Meter) -> Result<(), RegistryError> {
        match &self.oci {
            Some(oci) => oci.check_login(meter),
            None => self.check_there(meter),
        }
    }

    /// The login for a file server, if there is one and the connection is private.
    fn login(&self) -> Result<Option<&(Login, Web)>, RegistryError> {
        let Address::Web(url) = &self.address else { return Ok(None) };
        if let Some(login) = self.login.get() {
            return Ok(login.as_ref());
        }
        // The environment variable belongs to the registry itself, not to its mirrors.
        let named = Some(&self.registry).filter(|_| self.patience == Patience::Patient);
        let found = match is_private(url) {
            true => login(self.web.route(), named, Asked::Files { url })?,
            false => None,
        };
        let found = found.map(|login| {
            let web = self.web.saying(login.header());
            (login, web)
        });
        Ok(self.login.get_or_init(|| found).as_ref())
    }

    /// A whole file; `None` if it does not exist.
    pub(crate) fn file(
        &self,
        path: &str,
        most: u64,
        meter: &Meter,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        match self.ask(path, &Portion::default(), meter)? {
            Answer::Absent | Answer::Unchanged | Answer::Shorter => Ok(None),
            Answer::Bytes(Bytes { bytes, .. }) => self.read_all(path, bytes, most).map(Some),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether the log is built from tags, which have no order.
    pub(crate) fn has_tags(&self) -> bool {
        self.oci.is_some()
    }

    /// Returns the complete lines of a package's log, with its ETag; `None` if there is none. `seen` is what was last
    /// seen here: of a long log that has grown, only the new lines are requested.
    pub(crate) fn log(
        &self,
        pkg: &PkgName,
        seen: &Seen,
        meter: &Meter,
    ) -> Result<Option<Seen>, RegistryError> {
        if let Some(oci) = &self.oci {
            let bytes = oci.log(pkg, &seen.bytes, meter)?;
            return Ok(bytes.map(|bytes| Seen { tag: None, bytes }));
        }
        let path = shelf::log(pkg);
        // From the last known line on, to verify that the log continues there.
        let last_line = log::last_line(&seen.bytes);
        let from = if seen.bytes.len() > LONG { last_line } else { 0 };
        let portion = Portion { unless: seen.tag.clone(), from: from as u64, same: None };
        let whole = Portion { unless: seen.tag.clone(), ..Portion::default() };
        let mut answer = match self.ask(&path, &portion, meter)? {
            Answer::Shorter => self.ask(&path, &whole, meter)?,
            answer => answer,
        };
        if let Answer::Bytes(Bytes { from: 1.., .. }) = &answer {
            match self.grown(&path, seen, from, answer)? {
                Some(grown) => return Ok(Some(grown)),
                None => answer = self.ask(&path, &whole, meter)?,
            }
        }
        match answer {
            Answer::Absent | Answer::Shorter => Ok(None),
            Answer::Unchanged => Ok(Some(seen.clone())),
            Answer::Bytes(Bytes { bytes, tag, .. }) => {
                let mut bytes = self.read_all(&path, bytes, log::LONGEST)?;
                bytes.truncate(log::whole(&bytes).len());
                Ok(Some(Seen { tag, bytes }))
            }
        }
    }

    /// Returns the log seen before plus its new lines, if `answer` starts with its last line, at offset `from`.
    fn grown(
        &self,
        path: &str,
        seen: &Seen,
        from: usize,
        answer: Answer,
    ) -> Result<Option<Seen>, RegistryError> {
        let Answer::Bytes(Bytes { bytes, from: there, tag, .. }) = answer else { return Ok(None) };
        let tail = self.read_all(path, bytes, log::LONGEST - from as u64)?;
        let tail = log::whole(&tail);
        let is_one = there == from as u64 && tail.starts_with(&seen.bytes[from..]);
        Ok(is_one.then(|| Seen { tag, bytes: [&seen.bytes[..from], tail].concat() }))
    }

    /// The list of a namespace's packages; container registries have none.
    pub(crate) fn list(
        &self,
        of: Option<&Name>,
        meter: &Meter,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        let path = shelf::list(of);
        match self.ask(&path, &Portion::default(), meter)? {
            Answer::Absent | Answer::Unchanged | Answer::Shorter => Ok(None),
            Answer::Bytes(Bytes { bytes, .. }) => {
                self.read_all(&path, bytes, log::LONGEST).map(Some)
            }
        }
    }

    /// Distinguishes a registry without the package from a missing registry.
    pub(crate) fn check_there(&self, meter: &Meter) -> Result<(), RegistryError> {
        if let Some(oci) = &self.oci {
            return oci.check_there(meter);
        }
        match self.ask(MARK, &Portion::default(), meter)? {
            Answer::Absent => Err(RegistryError::NoRegistry { address: self.address.to_string() }),
            Answer::Unchanged | Answer::Shorter => Ok(()),
            Answer::Bytes(Bytes { bytes, .. }) => {
                let bytes = self.read_all(MARK, bytes, LONGEST_METADATA)?;
                check_mark(&bytes).map_err(|problem| self.unavailable(MARK, problem))
            }
        }
    }

    /// A file of a version, from offset `from` if it still has the ETag `same`.
    pub(crate) fn part(
        &self,
        pkg: &PkgName,
        version: &Version,
        part: Part,
        from: u64,
        same: Option<&str>,
        meter: &Meter,
    ) -> Result<Option<Bytes>, RegistryError> {
        let Some(oci) = &self.oci else {
            let path = shelf::part(pkg, version, part);
            let portion = Portion { unless: None, from, same: same.map(str::to_owned) };
            let whole = Portion::default();
            let answer = match self.ask(&path, &portion, meter)? {
                Answer::Shorter => self.ask(&path, &whole, meter)?,
                answer => answer,
            };
            return Ok(match answer {
                Answer::Bytes(bytes) => Some(bytes),
                Answer::Absent | Answer::Unchanged | Answer::Shorter => None,
            });
        };
        let blob = oci.part(pkg, version, part, from, meter)?;
        Ok(blob.map(|Blob { bytes, from, size, digest }| Bytes {
            bytes,
            from,
            size,
            tag: Some(digest),
        }))
    }

    /// Whether an interrupted transfer can and should be resumed.
    pub(crate) fn is_far(&self) -> bool {
        !matches!(self.address, Address::Dir(_))
    }

    pub(crate) fn unavailable(&self, path: &str, problem: String) -> RegistryError {
        let path = format!("{}/{path}", self.address);
        RegistryError::Unavailable { registry: self.registry.clone(), path, problem }
    }

    fn ask(&self, path: &str, portion: &Portion, meter: &Meter) -> Result<Answer, RegistryError> {
        match &self.address {
            Address::Dir(dir) => open(&dir.join(path)).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    RegistryError::Io { path: dir.join(path), source: error }
                }
                _ => self.unavailable(path, error.to_string()),
            }),
            Address::Web(url) => self.ask_web(&format!("{url}/{path}"), path, portion, meter),
            // A container registry has no files.
            Address::Oci { .. } => Ok(Answer::Absent),
        }
    }

    fn ask_web(
        &self,
        url: &str,
        path: &str,
        portion: &Portion,
        meter: &Meter,
    ) -> Result<Answer, RegistryError> {
        let login = self.login()?;
        let web = login.map_or(&self.web, |(_, web)| web);
        let answer = match self.patience {
            Patience::Patient => web.get_patiently(url, portion, meter),
            Patience::Hasty => web.get(url, portion, meter),
        };
        let answer = answer.map_err(|error| match error {
            WebError::Cancelled => RegistryError::Cancelled,
            error => self.unavailable(path, error.to_string()),
        })?;
        let WebAnswer { status, status_line, tag, kind, is_encoded, size, from, bytes, .. } =
            answer;
        match (status, from) {
            (200 | 206, _) if kind.as_deref() == Some("text/html") => Err(self.unavailable(
                path,
                "the server returned an HTML page instead of the file".to_owned(),
            )),
            (200 | 206, _) if is_encoded => {
                Err(self.unavailable(path, "the response has a content encoding".to_owned()))
            }
            (200, _) => Ok(Answer::Bytes(Bytes { bytes, from: 0, size, tag })),
            (206, Some(from)) if portion.from > 0 => {
                Ok(Answer::Bytes(Bytes { bytes, from, size, tag }))
            }
            (304, _) if portion.unless.is_some() => Ok(Answer::Unchanged),
            (416, _) if portion.from > 0 => Ok(Answer::Shorter),
            (404 | 410, _) => Ok(Answer::Absent),
            (401 | 403 | 407, _) => {
                let path = format!("{}/{path}", self.address);
                let by = match login {
                    Some((login, _)) => format!("used the login from {}", login.from),
                    None if !is_private(url) => {
                        "used no login, because the connection is not encrypted".to_owned()
                    }
                    None => "no login was found".to_owned(),
                };
                let status = format!("{status_line}; {by}");
                Err(RegistryError::Denied { registry: self.registry.clone(), path, status })
            }
            _ => Err(self.unavailable(path, status_line)),
        }
    }

    pub(crate) fn read_all(
        &self,
        path: &str,
        bytes: Box<dyn Read + Send>,
        most: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut read = Vec::new();
        let length = bytes.take(most + 1).read_to_end(&mut read);
        match length {
            Ok(length) if length as u64 > most => {
                let most = most.div_ceil(1 << 20);
                Err(self.unavailable(path, format!("the file is larger than {most} MiB")))
            }
            Ok(_) => Ok(read),
            Err(error) => {
                Err(self.unavailable(path, format!("the transfer was interrupted: {error}")))
            }
        }
    }
}

/// Checks the file that marks a registry.
pub(crate) fn check_mark(bytes: &[u8]) -> Result<(), String> {
    let value: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("it does not describe a registry: {error}"))?;
    match value["wake"].as_u64() {
        Some(1) => Ok(()),
        Some(form) => {
            Err(format!("it has format version {form}, but this wake supports version 1"))
        }
        None => Err("it does not describe a registry".to_owned()),
    }
}

/// Opens a regular file, without blocking on pipes.
pub(crate) fn open(path: &Path) -> io::Result<Answer> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(Answer::Absent),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let size = Some(metadata.len());
    Ok(Answer::Bytes(Bytes { bytes: Box::new(file), from: 0, size, tag: None }))
}
