//! The laws of the store, tested from outside: what was stored is retrieved or known to be lost, whatever happens to
//! the files, the processes or the disk. Names such as `c1` are those of the trust checklist.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod actions;
mod collection;
mod content;
mod damage;
mod disk_full;
mod format;
mod memo;
mod ordinary_user;
mod packs;
mod processes;
mod world;
