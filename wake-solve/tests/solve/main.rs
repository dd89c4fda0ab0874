//! Choosing versions in universes of a few lines, and in thousands that chance made.

#![allow(clippy::unwrap_used)]

mod world;

mod bounded;
mod conflicts;
mod exhaustive;
mod faults;
mod locked;
mod merged;
mod scenarios;
