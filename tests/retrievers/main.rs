//! Retrieved packages: an exec of another package fetches them.

#![allow(clippy::unwrap_used)]

mod scene;
mod rounds;
mod adding;
mod answers;
mod network;
mod chains;
mod globals;
mod lock;
mod cut_off;
mod wheels;
mod debian;
