//! Keeps genome assets in a directory that refgenie reads.
//!
//! A genome is identified by the digest of its sequences. An asset of a genome has a name and a tag: an aligner index, an annotation,
//! the sequences themselves. The caller hands over a finished directory, which is registered entirely or not at all.
//! `spec/assets.md` describes every file.
//!
//! | room | contains |
//! |---|---|
//! | `name`, `registry_path` | names of genomes, assets and tags |
//! | `seek` | seek keys: the files and values of an asset |
//! | `error` | the error type |
//! | `fasta`, `genome` | FASTA files, and the genome digest |
//! | `compare`, `locus` | comparing genomes, and reading parts of sequences |
//! | `measure` | the digests of an asset |
//! | `yaml`, `config` | the configuration: reading it, and editing it in place |
//! | `folders` | the directory layout |
//! | `hold`, `staging`, `journal` | atomic changes, safe with concurrent processes |
//! | `links` | links to assets by genome alias |
//! | `build_inputs` | the build records of an asset |
//! | `populate` | replacing `refgenie://` references in text |
//! | `class`, `catalog` | the contents of a registry, and seek key lookup |
//! | `registry` | opening, creating and changing a registry |
//! | `genomes`, `register` | adding genomes and assets |
//! | `retag`, `remove` | renaming tags, and removing assets |
//! | `archive`, `attributes` | asset archives, and the documents that describe them |
//! | `documents` | the recipes and asset classes in a registry |
//! | `incoming` | downloads |
//! | `shelf`, `server` | archive places: wake's own, and refgenie servers |
//! | `there` | listing such a place |
//! | `push`, `pull` | pushing and pulling assets |
//!
//! The table follows the declaration order; no room uses a later one.

mod name;
mod registry_path;
mod seek;
mod error;
mod fasta;
mod genome;
mod compare;
mod locus;
mod measure;
mod yaml;
mod config;
mod folders;
mod hold;
mod staging;
mod journal;
mod links;
mod build_inputs;
mod populate;
mod class;
mod catalog;
mod registry;
mod genomes;
mod register;
mod retag;
mod remove;
mod archive;
mod attributes;
mod documents;
mod incoming;
mod shelf;
mod server;
mod there;
mod push;
mod pull;
#[cfg(test)]
mod registry_test;

pub use build_inputs::{BuildInputs, InputAsset, InputFile, Json};
pub use catalog::{Catalog, Found};
pub use compare::Comparison;
pub use config::{AssetEntry, DocumentEntry, DocumentKind, GenomeEntry, Relative, TagEntry};
pub use documents::NewDocument;
pub use error::{AssetError, Kind, Missing};
pub use folders::Variables;
pub use genome::{Genome, Sequence};
pub use genomes::{AliasOwner, NewGenome};
pub use locus::{Locus, ParseLocusError};
pub use measure::{
    AssetDigest, BUILD_DIR, Excluded, Measured, ParseAssetDigestError, md5_of_file, measure,
};
pub use name::{
    AssetName, ClassName, GenomeDigest, GenomeName, NameError, RecipeName, SeekKey, Tag,
};
pub use populate::populate;
pub use pull::Pulled;
pub use push::Pushed;
pub use register::{BuildRecord, Existing, Registered, Registration};
pub use registry::Registry;
pub use registry_path::{AssetId, ParseRegistryPathError, RegistryPath};
pub use remove::Relatives;
pub use seek::{SeekEntry, SeekType, SeekValue, SeekValueError};
pub use there::{Detail, There, there};
pub use wake_registry::{Address, ParseAddressError};

/// The other program that reads and writes registries.
const REFGENIE: &str = "refgenie";
