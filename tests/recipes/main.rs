//! `wake recipe`: assets of genomes by refgenie's recipes, in a registry that refgenie reads.

#![allow(clippy::unwrap_used)]

mod bed;
mod building;
mod refused;
mod testing;
mod tools;
