//! Packages that are published in one repository and used in others.

#![allow(clippy::unwrap_used)]

mod attacks;
mod cut_off;
mod lock;
mod publish;
mod scene;
mod used;
mod web;
