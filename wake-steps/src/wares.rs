//! Wares on this machine: each fetched and unpacked once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wake_model::WareId;
use wake_store::Store;
use wake_store::ware::{
    ArchivePolicy, Cached, Meter, Route, Unpack, UnpackError, UnpackFilters, WareCache,
};

use crate::step::Fetch;

/// Unpacked wares, each checked once.
pub struct Wares<'a> {
    store: &'a Store,
    meter: &'a Meter,
    looked_at: Mutex<HashMap<Asked, Arc<Mutex<Option<LocalWare>>>>>,
}

/// A ware, and the addresses it is fetched from: an id may leave out a difference between two trees.
type Asked = (WareId, Vec<String>);

/// A ware unpacked on this machine.
#[derive(Clone, Debug)]
pub struct LocalWare {
    /// Its path.
    pub path: PathBuf,
    /// The `tree` id of all that was received.
    pub received: WareId,
}

/// What happens while a ware is provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WareNews<'a> {
    /// It has been altered since it was unpacked, and is not used.
    Altered(&'a WareId),
    /// It is being fetched and unpacked.
    Unpacking(&'a WareId),
}

impl<'a> Wares<'a> {
    /// Creates the set of wares in the cache of `store`; `meter` counts what is fetched.
    pub fn new(store: &'a Store, meter: &'a Meter) -> Wares<'a> {
        Wares { store, meter, looked_at: Mutex::default() }
    }

    /// How other machines are reached.
    pub fn route(&self) -> &Route {
        self.store.route()
    }

    /// Counts what is fetched, and stops fetching.
    pub fn meter(&self) -> &Meter {
        self.meter
    }

    /// Returns an unpacked ware, which is fetched and unpacked unless it is here and unaltered; `tell` hears of that.
    ///
    /// Other threads that need the same ware wait.
    pub fn get(
        &self,
        fetch: &Fetch,
        tell: &dyn Fn(WareNews<'_>),
    ) -> Result<LocalWare, UnpackError> {
        let slot = {
            let mut all = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = fetch.from.iter().map(ToString::to_string).collect();
            Arc::clone(all.entry((fetch.ware.clone(), asked)).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unpacked) = &*slot {
            return Ok(unpacked.clone());
        }
        let unpacked = self.bring(fetch, tell)?;
        *slot = Some(unpacked.clone());
        Ok(unpacked)
    }

    fn bring(
        &self,
        Fetch { ware, from }: &Fetch,
        tell: &dyn Fn(WareNews<'_>),
    ) -> Result<LocalWare, UnpackError> {
        let cache = WareCache::new(&self.store.ware_cache_dir());
        let told = |cached| match cached {
            Cached::Untouched => {}
            Cached::Altered => {
                tell(WareNews::Altered(ware));
                tell(WareNews::Unpacking(ware));
            }
            Cached::Absent => tell(WareNews::Unpacking(ware)),
        };
        let unpack = Unpack {
            ware,
            sources: from,
            filters: UnpackFilters::LOSSLESS,
            cache: Some(&cache),
            policy: ArchivePolicy::WARE,
        };
        let unpacked = unpack.into_cache_telling(self.meter, &told)?;
        Ok(LocalWare { path: unpacked.path, received: unpacked.received })
    }
}
