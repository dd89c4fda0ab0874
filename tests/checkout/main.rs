//! Untrusted checkouts: wake changes nothing outside them, never blocks on them, and reports what it refused.

#![allow(clippy::unwrap_used)]

mod scene;
mod places;
mod owners;
mod stores;
mod generated;
mod names;
