//! The root file system of an exec: the host's, an empty one, or a tree that was built, packed or is part of a package.

pub(super) mod import;
mod distribution;
pub(super) mod image;
mod choice;
