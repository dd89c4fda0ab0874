//! The images that Velocity's specifications plan, as steps.
//!
//! | room | has |
//! |---|---|
//! | `bases` | which image of somebody else a name means: as the lock of the site has it, or as it is |
//! | `shell` | the lines of `@run` as one script that says in which line it stopped |
//! | `marks` | where another tool stopped: in a script whose commands say in which line they are, and by what the tool says |
//! | `values` | variables in what a template says of an image |
//! | `site` | what all steps are made with |
//! | `engine` | tools of this machine that build images |
//! | `lower` | one step of each kind: prolog, files, commands, the image |
//! | `builds` | all steps of a plan, and what came of them |
//!
//! They stand in the order in which they are declared, and none knows a later one.

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
