//! The data types of wake: digests, paths, trees, packages, actions, records.
//!
//! Nothing here does I/O, reads a clock or contains an absolute path. Everything that has a digest is hashed by the
//! one canonical encoding of [`encode`], which `spec/encoding.md` describes with test vectors.

pub mod digest;
pub mod encode;
pub mod decode;
pub mod json;
pub mod name;
pub mod nearest;
pub mod package;
pub mod lock;
pub mod release;
pub mod path;
pub mod place;
pub mod reflike;
pub mod sorted;
pub mod declared;
pub mod tree;
pub mod ware;
pub mod action;
pub mod record;
pub mod buffer;

pub use action::{
    Action, Command, Field, FieldValue, InputNode, Invocation, MountAccess, Network, OutputDecl,
    OutputKind, Outputs, Rights, RootFs, SandboxLevel, User, WareDecl,
};
pub use buffer::{BufferId, Lifetime, Tags};
pub use decode::DecodeError;
pub use digest::{
    ActionDigest, BlobDigest, Digest, HostDigest, PkgDigest, TreeDigest, ValueDigest,
};
pub use lock::{LOCK_FILE, Lock, LockedPkg};
pub use name::{Name, PkgKey, PkgName, Requirement, Version};
pub use package::{GetPkg, GlobalRule, Permission, PkgIdentity, PkgInfo, PkgRequest, PkgSource};
pub use path::{PathError, RelPath};
pub use record::{LogRef, Outcome, RunRecord, Usage};
pub use reflike::Reflike;
pub use release::Release;
pub use sorted::{NameMap, SortedMap};
pub use tree::{Directories, Entry, Manifest, Node, Tree};
pub use ware::{PackType, WareId};
