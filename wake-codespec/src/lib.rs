//! Reads Tyger's codespecs and runs, and says what they come to.
//!
//! ```text
//! bytes, flags ──NamedCodespec::read──► Codespec     everything in it is valid
//! bytes ────────RunDocument::read────► RunDocument   a codespec, or the name of one, with buffers
//! ```
//! Nothing here reads a disk, a clock or the environment, and nothing is run. `spec/codespecs.md` has the rules, and where they are
//! not Tyger's.
//!
//! | room | what it has |
//! |---|---|
//! | [`quantity`] | amounts of resources |
//! | [`name`] | what codespecs and buffers are called |
//! | [`expand`] | references to variables |
//! | [`codespec`] | a codespec |
//! | `identity`, [`show`] | its content id; its JSON |
//! | `said`, `scalar`, `draft` | what somebody wrote, and where |
//! | `settle` | what that comes to |
//! | [`flags`], [`named`] | what is typed; codespecs with a name |
//! | [`run`], `document` | runs, and what reads as one |

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
