//! What a place has, of which nothing comes here.
//!
//! | file | has |
//! |---|---|
//! | `shelved` | what a place for archives has |
//! | `served` | what a server of refgenie has |

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

/// How much is asked of what a place has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What genomes, assets and tags are called.
    Names,
    /// All that is said of each, which takes a question for each asset and each tag.
    Everything,
}

/// What a place was found to have.
#[derive(Clone, Debug)]
pub struct There {
    /// Its genomes with their assets, ordered by name.
    pub genomes: Vec<GenomeEntry>,
    /// The genomes that were named, and that it has not.
    pub unknown: Vec<(GenomeName, Missing)>,
}

/// The genomes at `address` and their assets; only those that are named, if any are.
///
/// What has no name that can be asked for is left out. What a place does not say of an asset is absent.
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

/// Those that are named, if any are; `title` is what has them.
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
