//! A registry that is signed: nothing that it says is believed beyond what its head vouches for.

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

/// Bytes of a head at most.
const LONGEST_HEAD: u64 = 1 << 20;
/// How often a head is asked for again whose lists are gone: somebody has just written another one.
const TRIES: usize = 3;

/// What the head of a registry has to be.
#[derive(Clone, Debug)]
pub struct HeadDemand {
    /// Whose signatures count.
    pub keys: Vec<PublicKey>,
    /// What time it is, in seconds since 1970.
    pub now: u64,
}

/// What is asked of a head, and what came of that.
#[derive(Debug)]
pub(super) struct Heads {
    demand: HeadDemand,
    believed: Mutex<Option<Arc<Head>>>,
    lists: Mutex<HashMap<Option<Name>, Arc<List>>>,
}

/// The logs of a namespace, as the head vouches for them.
type List = BTreeMap<Name, Sum>;

impl Heads {
    pub(super) fn new(demand: HeadDemand) -> Heads {
        Heads { demand, believed: Mutex::default(), lists: Mutex::default() }
    }
}

impl Registry {
    /// The log of a package, up to where the head vouches for it.
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
            // What it had once, it still has to have.
            if !seen.bytes.is_empty() {
                return Err(self.unlisted(path, "it was there, and is not in its list any more"));
            }
            return Ok(PkgLog::default());
        };
        let bytes = match sum.is_beginning_of(&seen.bytes) {
            // It is here already.
            true => seen.bytes.clone(),
            false => {
                let there = self.itself.file(path, log::LONGEST, meter)?;
                there.ok_or_else(|| self.unlisted(path, "it is not there"))?
            }
        };
        if let Some(line) = first_change(&seen.bytes, whole(&bytes)) {
            let (registry, path) = (self.name.clone(), path.to_owned());
            return Err(RegistryError::WentBack { registry, path, line });
        }
        if !sum.is_beginning_of(&bytes) {
            return Err(self.unlisted(path, "its bytes are others"));
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
            // It may be longer there: then the tag is not of this.
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
                None => return Err(self.unlisted(&path, "it is not there")),
            };
            if bytes.len() as u64 != sum.bytes || !sum.is_beginning_of(&bytes) {
                return Err(self.unlisted(&path, "its bytes are others"));
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let line = |line: &str| serde_json::from_str::<ListLine>(line).ok();
            let lines = text.lines().map(line).collect::<Option<Vec<ListLine>>>();
            let lines = lines.ok_or_else(|| self.unlisted(&path, "it is no list of packages"))?;
            break lines.into_iter().map(|line| (line.name, line.log)).collect();
        };
        let list = Arc::new(list);
        lock().insert(of.cloned(), list.clone());
        Ok(list)
    }

    /// The head, once it is known to be signed, to hold, and to come behind what was seen; none where there is no registry yet that
    /// packages are staged for.
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
        // What somebody signed who is not believed any more binds nobody, or one with a stolen key could run ahead for ever.
        let before = String::from_utf8_lossy(&seen.bytes).into_owned();
        let before = Head::parse(&before, keys).ok().map(|(head, _)| head);
        if let Some(before) = &before {
            head.check_order(before).map_err(|fault| self.not_believed(fault, keys))?;
        }
        // Only now: what is not believed is not what the next one is compared with.
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
