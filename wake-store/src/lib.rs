//! Keeps bytes by the digest of their content.
//!
//! One directory, shared by all checkouts of a user and by any number of processes at once. Content is
//! the truth and a name is a claim: whatever is handed out as a hit has been compared with what it was
//! when it was put there, and what differs is set aside, reported and forgotten. `spec/store-layout.md`
//! describes every file.
//!
//! | file | holds |
//! |---|---|
//! | `confined` | files below a directory that anybody may have filled, such as a checkout |
//! | `owners` | whose directories are believed |
//! | `layout`, `session`, `publish`, `lease` | the directory itself: places, scratch space, how a file gets its name, who may delete |
//! | `listing`, `measure`, `stamps` | a tree as it lies on disk: what is there, its digest, whether it is untouched |
//! | `record_file`, `sorted_index` | the forms of small files |
//! | `memo`, `packs` | small values by digest; records of actions |
//! | `ware` | content named by other systems |
//! | `private` | whether a store is one's own |
//! | `open` | the store, with all of the above in hand |
//! | `adopt`, `tree_builder`, `action`, `tree`, `tree_archive`, `blob` | putting and getting content and actions |
//! | `seen` | what lies elsewhere and may only grow, as it was seen last |
//! | `partial` | files of other machines that broke off |
//! | `states` | what other checkouts may begin from |
//! | `series` | numbered documents by name, such as codespecs |
//! | `streams` | streams as lists of blobs |
//! | `roots`, `usage`, `verify`, `gc` | keeping house |
//!
//! They stand in the order in which they are declared, and none knows a later one.

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
