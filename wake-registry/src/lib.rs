//! Reads and writes registries of published packages.
//!
//! A registry is a directory of immutable files and append-only logs, on this machine or behind any file server; or a
//! container registry, whose tags serve as such a log. This crate knows neither what a package is, nor Jsonnet, nor how
//! versions are chosen. `spec/packages.md` describes every file.
//!
//! | room | does |
//! |---|---|
//! | `address`, `authority`, `shelf` | addresses of registries, their hosts, and the layout of their files |
//! | `key`, `key_ring`, `envelope` | keys, where users keep them, and signed envelopes |
//! | `attestation`, `trust`, `head` | what is signed about a version, whose signatures are trusted, and what is signed about a registry |
//! | `error` | registry errors |
//! | `credentials` | finding the login for a registry |
//! | `event`, `log` | events of a package's versions, and the state they add up to |
//! | `archive` | packing and measuring package archives |
//! | `oci` | repositories of a container registry |
//! | `site` | one location of a registry's files |
//! | `resume` | resuming interrupted archive downloads |
//! | `reader` | a registry as its users see it |
//! | `directory` | a directory registry as its publishers see it |
//! | `publisher` | a registry of any kind as its publishers see it |
//! | `login` | saving a login once the registry accepts it |
//!
//! Modules are declared in this order, and none depends on a later one.

#![expect(clippy::result_large_err, reason = "an error is made once, and read by a person")]

mod address;
mod authority;
mod shelf;
mod key;
mod key_ring;
mod envelope;
mod attestation;
mod trust;
mod head;
mod error;
mod credentials;
mod event;
mod log;
mod archive;
mod oci;
mod site;
mod resume;
mod reader;
mod directory;
mod publisher;
mod login;
#[cfg(test)]
mod altered_test;

pub use address::{Address, ParseAddressError};
pub use archive::{PackedPkg, Upload, pack};
pub use attestation::{Attestation, ImageProvenance, Provenance, Source, StepRun};
pub use directory::{Deed, Directory, HeadKeys, Standing};
pub use error::RegistryError;
pub use event::{ArchiveSum, Event};
pub use head::{HOLDS, Head, HeadFault};
pub use key::{ParseKeyError, PublicKey, SecretKey};
pub use key_ring::{KeyError, KeyRing, NamedKey};
pub use log::{Listed, LogFault, PkgLog, Yank};
pub use login::{LoginNote, log_in, log_out};
pub use oci::{BlobPart, ContainerError, Repository};
pub use publisher::Publisher;
pub use reader::{HeadDemand, ListLine, Registry};
pub use trust::{Demand, Distrust, Trust, said_signers};
