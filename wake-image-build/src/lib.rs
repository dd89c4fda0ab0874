//! The images that Velocity's specifications plan, as steps.
//!
//! | room | has |
//! |---|---|
//! | `bases` | which image of somebody else a name means: as the lock of the site has it, or as it is |
//! | `shell` | the lines of `@run` as one script that says in which line it stopped |
//! | `values` | variables in what a template says of an image |
//! | `site` | what all steps are made with |
//! | `engine` | tools of this machine that build images |
//! | `lower` | one step of each kind: prolog, files, commands, the image |
//! | `builds` | all steps of a plan, and what came of them |
//!
//! They stand in the order in which they are declared, and none knows a later one.

mod bases;
mod shell;
mod values;
mod site;
mod engine;
mod lower;
mod builds;

pub use bases::{Bases, LOCK_FILE, Unlocked};
pub use builds::{BuiltImage, FailedImage, ImageBuilds};
pub use engine::{Engine, Product};
pub use lower::LAYOUT;
pub use site::{Grants, Site};
