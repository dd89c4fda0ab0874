//! Wares: packed trees identified by their contents, wherever they are stored.
//!
//! This is layer 0 of the Timeless Stack. `pack` and `unpack` convert in both directions; `scan`, `list` and `mirror`
//! work on packed wares. `spec/wares.md` describes the formats. Nothing here reads the environment or the working
//! directory.

mod category;
mod hash;
pub mod cbor;
mod guid;
mod abs_path;
mod entry_path;
mod meter;
mod waiting;
mod node;
mod policy;
mod fit;
mod filters;
mod bucket;
mod archive;
mod disk;
mod extraction;
mod bare_tree;
mod layers;
mod layer_archive;
mod secrets;
mod route;
mod web;
mod exchange;
mod download;
mod warehouse;
mod git;
mod pack;
mod relocation;
mod seal;
mod cache;
mod layered_ware;
mod unpack;

pub use abs_path::{AbsPath, ParseAbsPathError};
pub use archive::ExtractError;
pub use bare_tree::{BareTarError, extract_bare, write_bare_tar};
pub(crate) use cache::seal_of;
pub use cache::{CacheError, Cached, WareCache};
pub use category::Category;
pub use disk::Ownership;
pub use download::{Attempt, AttemptError, DownloadError, download};
pub use entry_path::{EntryPath, EntryPathError};
pub use exchange::{WebBody, WebReply, WebRequest};
pub use filters::{
    Direction, FilterRejection, Filters, Mtime, Owner, Pack, PackFilters, ParseFiltersError,
    Special, UnpackFilters,
};
pub use fit::UnfitTree;
pub use git::GitError;
pub use guid::{is_guid, new_guid};
pub use hash::{Sha384Digest, Sha384Stream, base58};
pub use layer_archive::{LayerEntry, write_layer};
pub use layered_ware::{LaidWare, LayError};
pub use layers::{LayeredNode, LayeredTree, Layers};
pub use meter::Meter;
pub use node::{DEFAULT_TIME, MAX_OWNER, Meta, Node, Timestamp};
pub use pack::{PackError, pack, pack_metered};
pub use policy::{ArchivePolicy, Links, Names};
pub use route::{AddressMirror, MOST_AT_ONCE, Route};
pub use secrets::{Secret, without_secrets};
pub use unpack::{Placement, Unpack, UnpackError, UnpackReport, copy_tree, list, mirror, scan};
pub use wake_model::ware::{PackType, ParseWareIdError, WareId};
pub use warehouse::{ParseWarehouseError, Warehouse, WarehouseError};
pub use web::{Portion, Web, WebAnswer, WebError, pause};
