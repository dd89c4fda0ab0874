//! `wake job … --engine slurm` on a real cluster of one controller and two nodes.

#![allow(clippy::unwrap_used)]

mod cluster;
mod scene;

mod ends;
mod refusals;
mod replicas;
mod runs;
