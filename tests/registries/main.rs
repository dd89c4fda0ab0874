//! Packages that are published in one repository and used in others.

#![allow(clippy::unwrap_used)]

mod attacks;
mod containers;
mod cut_off;
mod lock;
mod oci;
mod oci_strangers;
mod publish;
mod rules;
mod scene;
mod used;
mod web;
