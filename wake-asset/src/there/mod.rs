//! Lists the contents of a remote place without pulling anything.
//!
//! | file | has |
//! |---|---|
//! | `shelved` | the contents of an archive place |
//! | `served` | the contents of a refgenie server |

mod shelved;
mod served;

use wake_registry::Address;
use wake_store::ware::{Meter, Web};

use crate::config::{AssetEntry, GenomeEntry, TagEntry};
use crate::error::{AssetError, Missing};
use crate::name::{AssetName, GenomeDigest, GenomeName, Tag};
use crate::server::Server;
use crate::shelf::Shelf;

pub(crate) use shelved::write_index;

/// The level of detail to request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The names of genomes, assets and tags.
    Names,
    /// All details, which takes a request for each asset and each tag.
    Everything,
}

/// The contents of a place.
#[derive(Clone, Debug)]
pub struct There {
    /// Its genomes with their assets, ordered by name.
    pub genomes: Vec<GenomeEntry>,
    /// The requested genomes that it does not have.
    pub unknown: Vec<(GenomeName, Missing)>,
}

/// Lists the genomes at `address` and their assets; only the `named` ones, if any are given.
///
/// Entries whose names are not valid are left out. Values that the place does not provide are absent.
pub fn there(
    address: &Address,
    named: &[GenomeName],
    detail: Detail,
    web: &Web,
    meter: &Meter,
) -> Result<There, AssetError> {
    match Server::find(address, web, meter)? {
        Some(server) => served::there(&server, named, detail),
        None => shelved::there(&Shelf::new(address.clone(), web, meter), named, detail),
    }
}

/// Selects the `named` genomes, if any are given; `title` names the place.
fn chosen(genomes: Vec<GenomeEntry>, named: &[GenomeName], title: &str) -> There {
    let is_it = |genome: &GenomeEntry, name: &GenomeName| {
        genome.digest.as_str() == name.as_str() || genome.aliases.contains(name)
    };
    let is_named =
        |genome: &GenomeEntry| named.is_empty() || named.iter().any(|name| is_it(genome, name));
    let aliases = || genomes.iter().flat_map(|genome| &genome.aliases).map(GenomeName::as_str);
    let unknown = |name: &GenomeName| {
        let what = format!("{title} has no genome `{name}`");
        (name.clone(), Missing::new(what, name.as_str(), aliases(), String::new()))
    };
    let is_unknown = |name: &&GenomeName| !genomes.iter().any(|genome| is_it(genome, name));
    let unknown = named.iter().filter(is_unknown).map(unknown).collect();
    let mut genomes: Vec<GenomeEntry> = genomes.into_iter().filter(is_named).collect();
    genomes.sort_by(|a, b| a.title().cmp(b.title()));
    There { genomes, unknown }
}

fn genome(digest: GenomeDigest, aliases: Vec<GenomeName>, assets: Vec<AssetEntry>) -> GenomeEntry {
    GenomeEntry { digest, aliases, description: None, assets }
}

fn asset(name: AssetName, mut tags: Vec<Tag>) -> AssetEntry {
    tags.sort();
    tags.dedup();
    let tags = tags.into_iter().map(TagEntry::of_name).collect();
    AssetEntry { name, description: None, class: None, default_tag: None, tags }
}
