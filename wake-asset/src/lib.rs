//! Keeps assets of genomes in a directory that refgenie reads.
//!
//! A genome is named by the digest of its sequences, an asset of it by a name and a tag: an index for an aligner, an annotation,
//! the sequences themselves. Whoever builds one hands over a finished directory; it is there whole, or not at all.
//! `spec/assets.md` describes every file.
//!
//! | room | does |
//! |---|---|
//! | `name`, `registry_path` | what genomes, assets and tags are called |
//! | `seek` | what is found in an asset |
//! | `error` | what can be wrong |
//! | `fasta`, `genome` | files of sequences, and the digest of a genome |
//! | `compare`, `locus` | what two genomes have in common, and parts of sequences |
//! | `measure` | digests of an asset |
//! | `yaml`, `config` | the configuration: what is known of it, and how it is changed in places |
//! | `folders` | where everything lies |
//! | `hold`, `staging`, `journal` | changes that happen as one, whoever else is at work |
//! | `links` | assets by the aliases of their genomes |
//! | `build_inputs` | documents that say how an asset was built |
//! | `populate` | texts in which assets are named |
//! | `class`, `catalog` | what is in a registry, and what is found by a seek key |
//! | `registry` | a registry as it is opened, made and changed |
//! | `genomes`, `register` | adding to one |
//! | `retag`, `remove` | other tags for what is there, and taking it away |
//! | `archive`, `attributes` | assets packed, and what is said of them |
//! | `documents` | recipes and asset classes that a registry keeps, and that go with its assets |
//! | `incoming` | what comes from other machines |
//! | `shelf`, `server` | where archives lie: places of wake's own, and servers of refgenie |
//! | `there` | what such a place has |
//! | `push`, `pull` | giving assets away, and taking them |
//!
//! They stand in the order in which they are declared, and none knows a later one.

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

/// Who else reads and writes registries.
const REFGENIE: &str = "refgenie";
