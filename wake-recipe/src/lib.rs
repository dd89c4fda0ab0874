//! Refgenie's recipes: what they say, and what is built for them.
//!
//! ```text
//! YAML, JSON, a value of Jsonnet ──Recipe::read──► Recipe      one model for three generations of documents
//!                                                    │ Plan::new, with a registry and what a person gives
//!                                                    ▼
//!                                                  Plan        each asset once, what it is made of first
//!                                                    │ Builds::new
//!                                                    ▼
//!                                                  Builds      steps; what they leave is put into the registry
//! ```
//! `spec/recipes.md` has the rules, and where they are not refgenie's.
//!
//! | room | has |
//! |---|---|
//! | [`name`] | names of inputs, parameters and properties |
//! | [`template`] | texts in which values are filled in |
//! | [`class`] | what assets of a class have |
//! | [`recipe`] | how an asset is made |
//! | [`error`] | what a person is told |
//! | [`given`] | what a person gives |
//! | [`content`] | files by their content |
//! | [`plan`] | what is to be built |
//! | [`step`] | that as steps |

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once in a failing build and read by a person"
)]

pub mod name;
pub mod template;
pub mod class;
pub mod recipe;
pub mod error;
pub mod given;
pub mod content;
pub mod plan;
pub mod step;

pub use class::{AssetClass, SeekKeys};
pub use plan::Plan;
pub use recipe::Recipe;
pub use step::Builds;

/// Who documents were written for.
const REFGENIE: &str = "refgenie";
