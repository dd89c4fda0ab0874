//! Builds whose last answer came from the snapshot, and changes that make it outdated.
//!
//! The snapshot must not affect results: whatever is done to the checkout, the store or the state in
//! `.wake`, the next build must give what a build of a fresh copy in an empty store gives. That copy
//! is the expectation of every test here, together with the steps that may run.

#![allow(clippy::unwrap_used)]

mod during;
mod edits;
mod results;
mod scene;
mod sequences;
mod state;
mod surroundings;
mod watched;
