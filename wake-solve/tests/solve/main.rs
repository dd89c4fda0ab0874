//! Choosing versions in small universes, and in thousands of random ones.

#![allow(clippy::unwrap_used)]

mod world;

mod bounded;
mod conflicts;
mod exhaustive;
mod faults;
mod locked;
mod merged;
mod scenarios;
