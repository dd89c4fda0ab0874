//! Builds whose last answer came from the snapshot, and what happens to make it untrue.
//!
//! The snapshot decides nothing: whatever is done to the checkout, the store or the state in
//! `.wake`, the next build must give what a build of a fresh copy in an empty store gives. That copy
//! is the expectation of every test here; beside it stands which steps may run.

#![allow(clippy::unwrap_used)]

mod during;
mod edits;
mod results;
mod scene;
mod sequences;
mod state;
mod surroundings;
mod watched;
