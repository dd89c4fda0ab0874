//! `wake formula`: documents of the Timeless Stack, run in a busybox root file system.

#![allow(clippy::unwrap_used)]

mod bed;
mod build;
mod events;
mod outputs;
mod published;
mod record;
mod refused;
mod view;
