//! Reads refgenie recipes and plans and builds the assets they describe.
//!
//! ```text
//! YAML, JSON, a Jsonnet value ─────Recipe::read──► Recipe      one model for three generations of documents
//!                                                    │ Plan::new, with a registry and the user's inputs
//!                                                    ▼
//!                                                  Plan        each asset once, parents first
//!                                                    │ Builds::new
//!                                                    ▼
//!                                                  Builds      steps; their results are registered
//! ```
//! `spec/recipes.md` has the rules and the differences from refgenie.
//!
//! | room | contains |
//! |---|---|
//! | [`name`] | names of inputs, parameters and custom properties |
//! | [`template`] | templates: Jinja and `str.format` |
//! | [`class`] | asset classes and their seek keys |
//! | [`recipe`] | recipes |
//! | [`error`] | diagnostics |
//! | [`given`] | `--files`, `--params` and `--assets` |
//! | [`content`] | input files and their digests |
//! | [`plan`] | the plan: assets to build, in order |
//! | [`step`] | the plan as steps |

#![expect(clippy::result_large_err, reason = "a failing build makes one diagnostic")]

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

/// The program that documents are written for.
const REFGENIE: &str = "refgenie";
