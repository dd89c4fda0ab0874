//! Reads and writes registries of published packages.
//!
//! A registry is a directory of files that never change and of logs that only grow, on this machine or behind any server of
//! files; or a registry of containers, whose tags are such a log. What a package is, Jsonnet and how versions are chosen are unknown here. `spec/packages.md` describes every file.
//!
//! | room | does |
//! |---|---|
//! | `address`, `shelf` | where a registry is, and what lies where in it |
//! | `error` | what can be wrong with one |
//! | `event`, `log` | what happened to the versions of a package, and what that comes to |
//! | `oci` | repositories of a registry of containers |
//! | `site` | a place where the files of a registry lie |
//! | `resume` | archives that break off, and go on |
//! | `reader` | a registry as its users see it |
//! | `archive` | the archive of a package, packed and measured |
//! | `directory` | a directory as its publishers see it |
//! | `publisher` | a registry of any kind as its publishers see it |
//!
//! They stand in the order in which they are declared, and none knows a later one.

#![expect(clippy::result_large_err, reason = "an error is made once, and read by a person")]

mod address;
mod shelf;
mod error;
mod event;
mod log;
mod oci;
mod site;
mod resume;
mod reader;
mod archive;
mod directory;
mod publisher;

pub use address::{Address, ParseAddressError};
pub use archive::{PackedPkg, pack};
pub use directory::{Directory, Standing, Upload};
pub use error::RegistryError;
pub use event::{ArchiveSum, Event};
pub use log::{Listed, LogFault, PkgLog, Yank};
pub use publisher::Publisher;
pub use reader::{ListLine, Registry};
