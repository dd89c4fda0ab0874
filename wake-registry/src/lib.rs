//! Reads and writes registries of published packages.
//!
//! A registry is a directory of files that never change and of logs that only grow, on this machine or behind any server of
//! files; or a registry of containers, whose tags are such a log. What a package is, Jsonnet and how versions are chosen are unknown here. `spec/packages.md` describes every file.
//!
//! | room | does |
//! |---|---|
//! | `address`, `authority`, `shelf` | where a registry is, whose host that is, and what lies where in it |
//! | `key`, `key_ring`, `envelope` | by which keys people are known, where they have them, and what they sign |
//! | `attestation`, `trust`, `head` | what is signed of a version, whose signatures count, and what is signed of a registry |
//! | `error` | what can be wrong with one |
//! | `credentials` | with which login one is asked |
//! | `event`, `log` | what happened to the versions of a package, and what that comes to |
//! | `archive` | the archive of a package, packed and measured |
//! | `oci` | repositories of a registry of containers |
//! | `site` | a place where the files of a registry lie |
//! | `resume` | archives that break off, and go on |
//! | `reader` | a registry as its users see it |
//! | `directory` | a directory as its publishers see it |
//! | `publisher` | a registry of any kind as its publishers see it |
//! | `login` | notes a login, once the registry lets one in with it |
//!
//! They stand in the order in which they are declared, and none knows a later one.

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
