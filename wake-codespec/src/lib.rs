//! Reads and validates Tyger's codespecs and runs.
//!
//! ```text
//! bytes, flags ──NamedCodespec::read──► Codespec     fully validated
//! bytes ────────RunDocument::read────► RunDocument   a codespec or the name of one, with buffers
//! ```
//! Nothing here reads the disk, the clock or the environment, and nothing is run. `spec/codespecs.md` has the rules, and how they
//! differ from Tyger's.
//!
//! | room | contents |
//! |---|---|
//! | [`quantity`] | amounts of resources |
//! | [`name`] | names of codespecs and buffers |
//! | [`expand`] | references to variables |
//! | [`codespec`] | a codespec |
//! | `identity`, [`show`] | its content id; its JSON |
//! | `said`, `scalar`, `draft` | codespecs as written, with source positions |
//! | `settle` | from a draft to a codespec |
//! | [`flags`], [`named`] | the command line; codespecs with a name |
//! | [`run`], `document` | runs; a run as a document |

pub mod quantity;
pub mod name;
pub mod expand;
pub mod codespec;
mod identity;
pub mod show;
mod said;
mod scalar;
mod draft;
mod settle;
pub mod flags;
pub mod named;
pub mod run;
mod document;
#[cfg(test)]
mod reading_test;

pub use codespec::{Codespec, Kind};
pub use said::COMMAND_LINE;
pub use wake_yaml::{DocumentError, Place, Warning};
