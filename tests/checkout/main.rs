//! Checkouts that somebody else made: nothing outside changes, nothing is waited for, what was refused is said.

#![allow(clippy::unwrap_used)]

mod scene;
mod places;
mod owners;
mod stores;
mod generated;
mod names;
