//! Velocity's image specifications, and what is to be built for them.
//!
//! ```text
//! files ──Catalog::read──► Catalog     every version of every image for a setting, both generations
//!                             │ solve, with targets
//!                             ▼
//!                          Solution    one version of each image that is needed, in order, or why there is none
//!                             │ Plan::new, with a backend
//!                             ▼
//!                          Plan        templates, scripts, contexts, commands, identities
//! ```
//! Nothing here reads a disk, a clock or the environment: [`files::Files`] hands documents out, [`plan::Surroundings`] has the rest.
//! `spec/velocity.md` has the rules, and where they are not Velocity's.
//!
//! | room | what it has |
//! |---|---|
//! | [`version`] | how versions compare |
//! | [`spec`] | what targets, dependencies and conditions say |
//! | [`files`] | who hands documents out |
//! | [`catalog`] | the images that documents declare |
//! | [`solve`] | which of them are built |
//! | [`template`] | templates as sections |
//! | [`script`] | what each backend is given |
//! | [`plan`] | all of it for what is built |
//! | [`config`] | what is said once for all images |
//! | [`skeleton`] | a new image to begin with |

pub mod version;
pub mod spec;
pub mod files;
pub mod catalog;
pub mod solve;
pub mod template;
pub mod script;
pub mod plan;
pub mod config;
pub mod skeleton;

pub use wake_yaml::{DocumentError, Place, Warning};

/// Who documents were written for.
const VELOCITY: &str = "Velocity";
