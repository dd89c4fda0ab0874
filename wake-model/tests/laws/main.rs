//! Properties of all values, tested on many: encodings and texts can be read back, and everything that determines
//! identity changes the digest.

#![allow(clippy::unwrap_used)]

mod actions;
mod json;
mod locks;
mod names;
mod pkgs;
mod things;
mod trees;
