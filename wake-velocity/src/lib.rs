//! Velocity's image specifications, and what is to be built for them.

mod error;
mod text;
mod yaml;
pub mod version;
pub mod spec;
pub mod files;
pub mod catalog;
pub mod solve;

pub use error::{DocumentError, Place, Warning};
