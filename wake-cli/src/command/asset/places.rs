//! Where assets are pulled from.

use wake_asset::{Address, Registry};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::assets;
use crate::exit::Stop;
use crate::settings::Settings;

/// Places that have assets: the first one that has what is asked for counts.
pub(super) struct Places {
    pub(super) first: Address,
    pub(super) others: Vec<Address>,
}

impl Places {
    /// The one that was typed.
    pub(super) fn one(address: &str, settings: &Settings) -> Result<Places, Stop> {
        Ok(Places { first: assets::address(address, settings)?, others: Vec::new() })
    }

    /// The servers that the configuration of a registry names.
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

    /// All of them, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.first).chain(&self.others)
    }
}
