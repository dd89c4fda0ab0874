//! Carries a build from package files to results.

pub mod diagnostic;
pub mod event;
