//! Velocity's image specifications, and the builds planned from them.
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
//! This crate accesses neither disk, clock nor environment: [`files::Files`] provides documents,
//! [`plan::Surroundings`] everything else. `spec/velocity.md` has the rules, and where they differ from Velocity's.
//!
//! | room | contents |
//! |---|---|
//! | [`version`] | version comparison |
//! | [`spec`] | targets, dependencies and conditions |
//! | [`files`] | access to documents |
//! | [`catalog`] | the images that documents declare |
//! | [`solve`] | which of them are built |
//! | [`template`] | templates as sections |
//! | [`script`] | scripts and commands of each backend |
//! | [`plan`] | everything about the images that are built |
//! | [`config`] | settings for all images |
//! | [`skeleton`] | the files of a new image |

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

/// The program that documents were written for.
const VELOCITY: &str = "Velocity";
