//! Stores bytes by the digest of their content.
//!
//! One directory, shared by all checkouts of a user and by any number of processes at once. Content is authoritative
//! and a name is only a claim: whatever is returned as a hit has been compared with what was stored, and anything that
//! differs is moved aside, reported and forgotten. `spec/store-layout.md` describes every file.
//!
//! | file | holds |
//! |---|---|
//! | `confined` | files below an untrusted directory, such as a checkout |
//! | `owners` | whose directories are trusted |
//! | `layout`, `session`, `publish`, `lease` | the directory itself: paths, scratch space, how a file gets its name, who may delete |
//! | `listing`, `measure`, `stamps` | a tree on disk: its entries, its digest, whether it is unmodified |
//! | `record_file`, `sorted_index` | the formats of small files |
//! | `memo`, `packs` | small values by digest; action records |
//! | `ware` | content named by other systems |
//! | `private` | whether a store belongs to the user alone |
//! | `open` | the store, which combines all of the above |
//! | `adopt`, `tree_builder`, `action`, `tree`, `tree_archive`, `blob` | storing and retrieving content and actions |
//! | `seen` | the last seen state of remote files that may only grow |
//! | `partial` | interrupted downloads |
//! | `states` | build states that other checkouts can start from |
//! | `series` | numbered documents by name, such as codespecs |
//! | `streams` | streams as lists of blobs |
//! | `roots`, `usage`, `verify`, `gc` | housekeeping |
//!
//! They are declared in this order, and none depends on a later one.

mod confined;
mod owners;
mod clock;
mod error;
mod corruption;
mod layout;
mod removal;
mod session;
mod publish;
mod lease;
mod listing;
mod measure;
mod stamps;
mod record_file;
mod sorted_index;
pub mod memo;
mod packs;
pub mod ware;
mod private;
mod open;
mod adopt;
mod tree_builder;
mod action;
mod tree;
mod tree_archive;
mod blob;
mod seen;
mod partial;
mod states;
mod series;
mod streams;
mod roots;
mod usage;
pub mod verify;
pub mod gc;
#[cfg(test)]
mod power_cut_test;

pub use action::{ActionEntry, Log, Logs, StoredAction};
pub use adopt::{AdoptError, Adopted};
pub use blob::BlobWriter;
pub use confined::{ConfinedEntry, ConfinedPath, Obstacle, Refusal};
pub use corruption::{Corruption, Damage, Lookup};
pub use error::StoreError;
pub use gc::{GcEvent, GcMode, GcOptions, GcReport};
pub use listing::TREE_MTIME;
pub use memo::Memo;
pub use open::{OpenError, Store};
pub use owners::{Owners, SAFE_DIRECTORY, SafeDirectories};
pub use partial::Partial;
pub use seen::Seen;
pub use series::{Numbered, Series};
pub use session::Scratch;
pub use stamps::{Stamps, current_boot};
pub use streams::{StreamBlock, StreamReader, StreamWriter};
pub use tree::{BrowseError, StoredTree};
pub use tree_archive::ReadArchiveError;
pub use tree_builder::{BuildTreeError, TreeBuilder};
pub use usage::{Kind, Usage};
pub use verify::{Contents, VerifyOptions, VerifyReport};
