//! `wake formula`: documents of the Timeless Stack, run for real in a root file system of busybox.

#![allow(clippy::unwrap_used)]

mod bed;
mod build;
mod events;
mod outputs;
mod published;
mod record;
mod refused;
mod view;
