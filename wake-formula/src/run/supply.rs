//! Getting the inputs of a formula to this machine.

use std::fs;
use std::path::PathBuf;

use rayon::prelude::*;
use wake_exec::Access;
use wake_store::ware::{
    AbsPath, Cached, Policy, Unpack, UnpackFilters, WareCache, WareId, Warehouse,
};

use super::task::{Supply, Task};
use super::{Run, RunError, Said, Tell};

/// An input as it lies on this machine.
pub(super) enum Placed {
    /// A file or directory, and what the command may do with it.
    Host(PathBuf, Access),
    /// The bytes of a file.
    Text(String),
}

impl Run<'_> {
    /// Where each input lies on this machine, wares unpacked in parallel.
    pub(super) fn supplies<'t>(
        &self,
        task: &'t Task,
        tell: &Tell<'_>,
    ) -> Result<Vec<(&'t AbsPath, Placed)>, RunError> {
        let inputs: Vec<(&AbsPath, &Supply)> = task.inputs.iter().collect();
        inputs
            .par_iter()
            .map(|(path, supply)| Ok((*path, self.place(path, supply, tell)?)))
            .collect()
    }

    fn place(&self, path: &AbsPath, supply: &Supply, tell: &Tell<'_>) -> Result<Placed, RunError> {
        match supply {
            Supply::Text(text) => Ok(Placed::Text(text.clone())),
            Supply::Mount(host, access) => match fs::canonicalize(host) {
                Ok(host) => Ok(Placed::Host(host, *access)),
                Err(error) => Err(RunError::assembly(format!(
                    "input `{path}` is a mount of `{}`, which cannot be used: {error}",
                    host.display()
                ))),
            },
            Supply::Ware(ware, urls) => self.unpacked(path, ware, urls, tell),
        }
    }

    fn unpacked(
        &self,
        path: &AbsPath,
        ware: &WareId,
        urls: &[String],
        tell: &Tell<'_>,
    ) -> Result<Placed, RunError> {
        let parse = |url: &String| {
            Warehouse::parse(url, ware.packtype(), self.base, self.store.route())
                .map_err(|source| RunError::Address { path: path.to_string(), source })
        };
        let sources = urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let cache = WareCache::new(&self.store.ware_cache_dir());
        match cache.state(ware) {
            Cached::Untouched => return Ok(Placed::Host(cache.place(ware), Access::Layered)),
            Cached::Altered => tell(Said::Altered(ware)),
            Cached::Absent => {}
        }
        tell(Said::Unpacking(ware));
        let unpack = Unpack {
            ware,
            sources: &sources,
            filters: UnpackFilters::LOSSLESS,
            cache: Some(&cache),
            policy: Policy::WARE,
        };
        let unpacked = unpack
            .into_cache_metered(self.meter)
            .map_err(|source| RunError::Input { path: path.to_string(), source })?;
        Ok(Placed::Host(unpacked.path, Access::Layered))
    }
}
