//! Keeps bytes by the digest of their content.
//!
//! One directory, shared by all checkouts of a user and by any number of processes at once. Content is
//! the truth and a name is a claim: whatever is handed out as a hit has been compared with what it was
//! when it was put there, and what differs is set aside, reported and forgotten. `spec/store-layout.md`
//! describes every file.
//!
//! | file | holds |
//! |---|---|
//! | `open`, `layout`, `lease`, `session` | the directory itself: format, places, who may delete, scratch space |
//! | `listing`, `measure`, `stamps` | a tree as it lies on disk: what is there, its digest, whether it is untouched |
//! | `adopt`, `tree_builder`, `tree`, `blob` | putting and getting content |
//! | `framing`, `record_file`, `action`, `packs` | the action cache |
//! | `memo`, `sorted_index` | small values by digest |
//! | `runs` | records of what belongs to no checkout |
//! | `states` | what other checkouts may begin from |
//! | `roots`, `gc`, `verify`, `usage` | keeping house |
//! | `ware` | content named by other systems |

mod action;
mod adopt;
mod blob;
mod corruption;
mod error;
mod framing;
pub mod gc;
mod layout;
mod lease;
mod listing;
mod measure;
pub mod memo;
mod open;
mod packs;
#[cfg(test)]
mod power_cut;
mod publish;
mod record_file;
mod removal;
mod roots;
mod runs;
mod session;
mod sorted_index;
mod stamps;
mod states;
mod tree;
mod tree_builder;
mod usage;
pub mod verify;
pub mod ware;

pub use action::{ActionEntry, Log, Logs, StoredAction};
pub use adopt::{AdoptError, Adopted};
pub use corruption::{Corruption, Damage, Lookup};
pub use error::StoreError;
pub use gc::{GcEvent, GcMode, GcOptions, GcReport};
pub use listing::TREE_MTIME;
pub use memo::Memo;
pub use open::{OpenError, Store};
pub use session::Scratch;
pub use stamps::{Stamps, current_boot};
pub use tree::{BrowseError, StoredTree};
pub use tree_builder::{BuildTreeError, TreeBuilder};
pub use usage::{Kind, Usage};
pub use verify::{Contents, VerifyOptions, VerifyReport};
