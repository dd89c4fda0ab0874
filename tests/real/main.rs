//! Packages that nobody here wrote, from the Debian source archive: zlib and Lua by modules of their own, redis, ninja,
//! Jinja and ripgrep by the library of rules, which they take from a registry by name and version, the mixins of
//! Prometheus and etcd as libraries of Jsonnet.

#![allow(clippy::unwrap_used)]

mod jinja2;
mod mixins;
mod modules;
mod ninja;
mod redis;
mod ripgrep;
mod scene;
