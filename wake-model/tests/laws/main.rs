//! What holds for every value, tried on many: an encoding comes back, a spelling comes back, and whatever
//! says what a thing is changes its digest.

#![allow(clippy::unwrap_used)]

mod actions;
mod json;
mod locks;
mod names;
mod pkgs;
mod things;
mod trees;
