//! `wake recipe`: builds genome assets from refgenie recipes, in a registry that refgenie reads.

#![allow(clippy::unwrap_used)]

mod bed;
mod broken;
mod building;
mod defects;
mod golden;
mod published;
mod refused;
#[path = "../registries/server.rs"]
#[expect(dead_code, reason = "these tests ask the server less than those of packages do")]
mod server;
mod testing;
mod tools;
