//! The root file system of an exec: the host's, none, or a tree that was made, packed or lies in a package.

pub(super) mod import;
mod distribution;
pub(super) mod image;
mod choice;
