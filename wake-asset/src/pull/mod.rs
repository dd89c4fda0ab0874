//! Pulling assets from a remote place.
//!
//! | file | has |
//! |---|---|
//! | `links` | checks the targets of links in an archive |
//! | `fetch` | downloads an archive, resuming after interruptions |
//! | `shelved` | assets from an archive place |
//! | `served` | assets from a refgenie server |

mod links;
mod fetch;
mod shelved;
mod served;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::SystemTime;

use wake_registry::Address;
use wake_store::ware::{Meter, Web};

use self::fetch::Fetched;
use crate::archive;
use crate::catalog::Catalog;
use crate::error::{AssetError, At, Missing};
use crate::folders;
use crate::register::{Existing, Registered};
use crate::registry::Registry;
use crate::registry_path::{AssetId, RegistryPath};
use crate::server::Server;
use crate::shelf::Shelf;
use crate::staging::Staging;

/// The result of a pull.
#[derive(Clone, Debug)]
pub enum Pulled {
    /// The asset was registered.
    New(Box<Registered>),
    /// The asset was already registered, with the same content.
    There(AssetId),
}

impl Registry {
    /// Downloads an asset from `address` and registers it, with its genome if that is not in the registry.
    ///
    /// An interrupted download is resumed, also in a later run. Before anything is registered, the download is checked against its
    /// digests, and its parents against those in the registry.
    pub fn pull(
        &self,
        path: &RegistryPath,
        address: &Address,
        existing: Existing,
        now: SystemTime,
        web: &Web,
        meter: &Meter,
    ) -> Result<Pulled, AssetError> {
        let pull = Pull { registry: self, now, meter };
        match Server::find(address, web, meter)? {
            Some(server) => served::pull(&pull, &server, path, existing),
            None => {
                let shelf = Shelf::new(address.clone(), web, meter);
                shelved::pull(&pull, &shelf, path, existing)
            }
        }
    }
}

/// The context of a pull.
struct Pull<'a> {
    registry: &'a Registry,
    now: SystemTime,
    meter: &'a Meter,
}

impl Pull<'_> {
    /// Unpacks the archive so that its links to parents resolve as they will in the registry.
    fn unpacked(
        &self,
        staging: &Staging,
        archive: &Fetched,
        id: &AssetId,
        parents: &[AssetId],
    ) -> Result<PathBuf, AssetError> {
        let data = folders::data(id);
        let stage = staging.near(&data, "unpacked")?.path;
        fs::create_dir(&stage).at(&stage)?;
        let tree = archive::unpack(&archive.path, &stage, &id.tag, self.meter)?;
        let catalog = self.registry.read()?;
        let seen = staging.near(&data, "seen")?.path;
        let place = |id: &AssetId| seen.join(id.genome.as_str()).join(id.asset.as_str());
        for parent in links::parents(&tree, id, parents)? {
            if catalog.get(parent).is_none() {
                return Err(no_parent(id, parent));
            }
            fs::create_dir_all(place(parent)).at(&seen)?;
            let link = place(parent).join(parent.tag.as_str());
            symlink(catalog.data_dir(parent), &link).at(&link)?;
        }
        fs::create_dir_all(place(id)).at(&seen)?;
        let laid = place(id).join(id.tag.as_str());
        fs::rename(&tree, &laid).at(&laid)?;
        Ok(laid)
    }
}

fn no_parent(id: &AssetId, parent: &AssetId) -> AssetError {
    AssetError::Missing(Missing::new(
        format!("`{id}` has links to `{parent}`, which is not in the registry"),
        "",
        [],
        format!("pull it first: `wake asset pull {parent}`"),
    ))
}

/// The error for something that a place does not have.
fn not_there(title: &str, what: &str) -> AssetError {
    AssetError::Missing(Missing::new(format!("{title} has {what}"), "", [], String::new()))
}

/// Checks whether the asset can be registered at all, before downloading it.
fn check_room(catalog: &Catalog, id: &AssetId, existing: Existing) -> Result<(), AssetError> {
    match catalog.get(id) {
        Some(found) if existing == Existing::Refuse => {
            let asset = format!("{}/{}:{}", found.genome.title(), id.asset, id.tag);
            Err(AssetError::Exists { asset })
        }
        _ => Ok(()),
    }
}

fn same(what: &str, id: &AssetId, expected: &str, came: &str) -> Result<(), AssetError> {
    if expected == came {
        return Ok(());
    }
    let (expected, came) = (expected.to_owned(), came.to_owned());
    Err(AssetError::Digest { what: format!("{what} `{id}`"), expected, came })
}

/// Checks that a parent of `made`, if it is in the registry, has the same digest as in the remote place.
fn check_parent(
    catalog: &Catalog,
    id: &AssetId,
    there: &str,
    made: &str,
) -> Result<(), AssetError> {
    let Some(here) = catalog.get(id) else { return Ok(()) };
    let here = here.digest()?;
    if here.as_str() == there {
        return Ok(());
    }
    Err(AssetError::Digest {
        what: format!("parent `{id}` of `{made}` in this registry"),
        expected: there.to_owned(),
        came: here.to_string(),
    })
}
