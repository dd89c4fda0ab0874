//! Where assets are pulled from.

use wake_asset::{Address, Registry};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::assets;
use crate::exit::Stop;
use crate::settings::Settings;

/// Places to pull assets from; the first that has an asset is used.
pub(super) struct Places {
    pub(super) first: Address,
    pub(super) others: Vec<Address>,
}

impl Places {
    /// Returns the place given on the command line.
    pub(super) fn one(address: &str, settings: &Settings) -> Result<Places, Stop> {
        Ok(Places { first: assets::address(address, settings)?, others: Vec::new() })
    }

    /// Returns the servers in the configuration of a registry.
    pub(super) fn servers(registry: &Registry, settings: &Settings) -> Result<Places, Stop> {
        let catalog = registry.read().map_err(|error| assets::stop(&error, settings))?;
        let address = |server: &String| assets::address(server, settings);
        let Some((first, others)) = catalog.servers().split_first() else {
            let error = Diagnostic::error(Class::Usage, "no server to pull from");
            return Err(error
                .help("use `--from ADDRESS`, or set `genome_servers` in the registry configuration")
                .into());
        };
        let others = others.iter().map(address).collect::<Result<_, _>>()?;
        Ok(Places { first: address(first)?, others })
    }

    /// Returns all places, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.first).chain(&self.others)
    }
}
