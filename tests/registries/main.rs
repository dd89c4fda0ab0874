//! Packages that are published in one repository and used in others.

#![allow(clippy::unwrap_used)]

mod attacks;
mod containers;
mod cut_off;
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
mod resume;
mod rules;
mod scene;
mod server;
mod signing;
mod used;
mod web;
