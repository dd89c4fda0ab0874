//! A signed registry: nothing is trusted beyond what its head vouches for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use wake_model::{Name, PkgName, RelPath};
use wake_store::ware::Meter;
use wake_store::{Seen, Store};

use super::{Registry, seen_of};
use crate::error::RegistryError;
use crate::head::{Head, HeadFault, ListLine, Sum};
use crate::key::PublicKey;
use crate::log::{self, LogFault, PkgLog, first_change, whole};
use crate::shelf::{self, HEAD};

/// Maximum size of a head, in bytes.
const LONGEST_HEAD: u64 = 1 << 20;
/// How often to request a head again if its lists are gone, because another one has just been written.
const TRIES: usize = 3;

/// The requirements on the head of a registry.
#[derive(Clone, Debug)]
pub struct HeadDemand {
    /// The trusted keys.
    pub keys: Vec<PublicKey>,
    /// The current time, in seconds since 1970.
    pub now: u64,
}

/// The requirements on a head, and what has been verified so far.
#[derive(Debug)]
pub(super) struct Heads {
    demand: HeadDemand,
    believed: Mutex<Option<Arc<Head>>>,
    lists: Mutex<HashMap<Option<Name>, Arc<List>>>,
}

/// The logs of a namespace that the head vouches for.
type List = BTreeMap<Name, Sum>;

impl Heads {
    pub(super) fn new(demand: HeadDemand) -> Heads {
        Heads { demand, believed: Mutex::default(), lists: Mutex::default() }
    }
}

impl Registry {
    /// The log of a package, up to the point that the head vouches for.
    pub(super) fn signed_log(
        &self,
        heads: &Heads,
        pkg: &PkgName,
        store: &Store,
        meter: &Meter,
    ) -> Result<PkgLog, RegistryError> {
        let path = &*shelf::log(pkg);
        let seen = seen_of(&self.itself, pkg, store)?.unwrap_or_default();
        let list = self.believed_list(heads, pkg.namespace.as_ref(), store, meter)?;
        let Some(sum) = list.get(&pkg.name) else {
            // A listed package must stay listed.
            if !seen.bytes.is_empty() {
                return Err(self.unlisted(path, "it is no longer in its list"));
            }
            return Ok(PkgLog::default());
        };
        let bytes = match sum.is_beginning_of(&seen.bytes) {
            // It is already known.
            true => seen.bytes.clone(),
            false => {
                let there = self.itself.file(path, log::LONGEST, meter)?;
                there.ok_or_else(|| self.unlisted(path, "it is missing"))?
            }
        };
        if let Some(line) = first_change(&seen.bytes, whole(&bytes)) {
            let (registry, path) = (self.name.clone(), path.to_owned());
            return Err(RegistryError::WentBack { registry, path, line });
        }
        if !sum.is_beginning_of(&bytes) {
            return Err(self.unlisted(path, "its content differs"));
        }
        let length = usize::try_from(sum.bytes).unwrap_or(bytes.len());
        let log = PkgLog::parse(&bytes[..length], pkg);
        let log = log.map_err(|LogFault { line, problem }| RegistryError::Log {
            registry: self.name.clone(),
            path: path.to_owned(),
            line,
            problem,
        })?;
        if seen.bytes.len() < length {
            // The log on the server may be longer, so its ETag does not belong to these bytes.
            let seen = Seen { tag: None, bytes: bytes[..length].to_vec() };
            let seen_as = RelPath::parse(path).unwrap_or_default();
            store.keep_seen(&self.address().to_string(), &seen_as, &seen)?;
        }
        Ok(log)
    }

    /// The packages of a namespace that the head vouches for.
    fn believed_list(
        &self,
        heads: &Heads,
        of: Option<&Name>,
        store: &Store,
        meter: &Meter,
    ) -> Result<Arc<List>, RegistryError> {
        let lock = || heads.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lock().get(&of.cloned()) {
            return Ok(list.clone());
        }
        let mut tries = 1;
        let list = loop {
            let head = self.believed_head(heads, store, meter)?;
            let Some(sum) = head.as_ref().and_then(|head| head.lists.get(shelf::namespace(of)))
            else {
                break List::new();
            };
            let path = shelf::fixed_list(of, &sum.hash);
            let bytes = match self.itself.file(&path, log::LONGEST, meter)? {
                Some(bytes) => bytes,
                None if tries < TRIES => {
                    tries += 1;
                    *heads.believed.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    continue;
                }
                None => return Err(self.unlisted(&path, "it is missing")),
            };
            if bytes.len() as u64 != sum.bytes || !sum.is_beginning_of(&bytes) {
                return Err(self.unlisted(&path, "its content differs"));
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let line = |line: &str| serde_json::from_str::<ListLine>(line).ok();
            let lines = text.lines().map(line).collect::<Option<Vec<ListLine>>>();
            let lines =
                lines.ok_or_else(|| self.unlisted(&path, "it is not a list of packages"))?;
            break lines.into_iter().map(|line| (line.name, line.log)).collect();
        };
        let list = Arc::new(list);
        lock().insert(of.cloned(), list.clone());
        Ok(list)
    }

    /// The head, once its signature, expiry and order have been verified; `None` if packages are staged for a
    /// registry that does not exist yet.
    fn believed_head(
        &self,
        heads: &Heads,
        store: &Store,
        meter: &Meter,
    ) -> Result<Option<Arc<Head>>, RegistryError> {
        let mut believed = heads.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(head) = &*believed {
            return Ok(Some(head.clone()));
        }
        let HeadDemand { keys, now } = &heads.demand;
        let Some(text) = self.itself.file(HEAD, LONGEST_HEAD, meter)? else {
            return match self.itself.check_there(meter) {
                Err(RegistryError::NoRegistry { .. }) if self.stage.is_some() => Ok(None),
                Err(error) => Err(error),
                Ok(()) => Err(self.not_believed(HeadFault::Absent, keys)),
            };
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let checked = Head::parse(&text, keys).and_then(|(head, _)| {
            head.check_time(*now)?;
            Ok(head)
        });
        let head = checked.map_err(|fault| self.not_believed(fault, keys))?;
        let (address, name) =
            (self.address().to_string(), RelPath::parse(HEAD).unwrap_or_default());
        let seen = store.seen(&address, &name)?.unwrap_or_default();
        // A head by a key that is no longer trusted binds nobody; otherwise a stolen key could fast-forward the
        // serial for ever.
        let before = String::from_utf8_lossy(&seen.bytes).into_owned();
        let before = Head::parse(&before, keys).ok().map(|(head, _)| head);
        if let Some(before) = &before {
            head.check_order(before).map_err(|fault| self.not_believed(fault, keys))?;
        }
        // Only trusted heads are recorded for comparison with the next one.
        if before.as_ref() != Some(&head) {
            let seen = Seen { tag: None, bytes: text.into_bytes() };
            store.keep_seen(&address, &name, &seen)?;
        }
        let head = Arc::new(head);
        *believed = Some(head.clone());
        Ok(Some(head))
    }

    fn not_believed(&self, fault: HeadFault, keys: &[PublicKey]) -> RegistryError {
        let ids: Vec<String> = keys.iter().map(PublicKey::id).collect();
        RegistryError::Head { registry: self.name.clone(), fault, keys: ids.join(", ") }
    }

    fn unlisted(&self, path: &str, problem: &str) -> RegistryError {
        let (registry, problem) = (self.name.clone(), problem.to_owned());
        RegistryError::Unlisted { registry, path: path.to_owned(), problem }
    }
}
