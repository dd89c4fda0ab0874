//! Lowers a plan of Velocity images to steps.
//!
//! | room | purpose |
//! |---|---|
//! | `bases` | the digests of base images, locked or looked up |
//! | `shell` | the lines of `@run` as one script that reports the line in which it stopped |
//! | `marks` | where another tool stopped: by markers in its script, and by its output |
//! | `values` | variables in a template's values |
//! | `site` | what all steps have in common |
//! | `engine` | build tools on this machine |
//! | `lower` | one step of each kind: prolog, files, commands, the image |
//! | `builds` | all steps of a plan, and their results |
//!
//! Modules are declared in this order, and none depends on a later one.

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once in a failing build and read by a person"
)]

mod bases;
mod shell;
mod marks;
mod values;
mod site;
mod engine;
mod lower;
mod builds;

pub use bases::{Bases, LOCK_FILE, Unlocked};
pub use builds::{BuiltImage, FailedImage, ImageBuilds};
pub use engine::{Engine, Product};
pub use lower::LAYOUT;
pub use site::{Grants, Roots, Site};
