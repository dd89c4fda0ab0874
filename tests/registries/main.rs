//! Packages that are published in one repository and used in others.

#![allow(clippy::unwrap_used)]

mod adding;
mod at_terminal;
mod attacks;
mod codespecs;
mod containers;
mod cut_blobs;
mod cut_off;
mod everywhere;
mod full_disk;
mod heads;
mod inquiry;
mod lock;
mod mirrors;
mod nginx;
mod logins;
mod oci;
mod oci_strangers;
mod overrides;
mod publish;
mod refusals;
mod resume;
mod rules;
mod scene;
mod server;
mod signing;
mod used;
mod web;
