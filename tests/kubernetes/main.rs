//! `wake job … --engine kubernetes`, and `wake job manifest`.

#![allow(clippy::unwrap_used)]

mod scene;

mod ends;
mod manifest;
mod real;
mod refusals;
mod runs;
