//! Builds third-party projects from the Debian source archive: zlib and Lua with modules of their own; redis, ninja, Jinja
//! and ripgrep with the rule library, used from a registry by name and version; the mixins of Prometheus and etcd as Jsonnet
//! libraries.

#![allow(clippy::unwrap_used)]

mod jinja2;
mod mixins;
mod modules;
mod ninja;
mod redis;
mod ripgrep;
mod scene;
