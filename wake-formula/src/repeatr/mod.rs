//! Formulas as repeatr has them.

mod read;
mod write;
mod cradle;

pub use cradle::CompleteFormula;

use std::collections::BTreeMap;

use strum::{AsRefStr, IntoStaticStr};
use wake_model::MountAccess;
use wake_store::ware::{PackFilters, PackType, WareId};

use crate::WrittenPath;

/// A formula and where its wares come from and go to. Only the formula has an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What is computed.
    pub formula: Formula,
    /// Where from and where to.
    pub context: Context,
}

/// One computation, all of its arguments bound. Written as declared: defaults come with [`Formula::cradle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// What stands where in the root file system; none when the document has no such field.
    pub inputs: Option<BTreeMap<WrittenPath, Input>>,
    /// What is executed.
    pub action: Action,
    /// What is kept; none when the document has no such field, which is not the same identity as an empty one.
    pub outputs: Option<BTreeMap<WrittenPath, Output>>,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A ware.
    Ware(WareId),
    /// A directory of the host: not hermetic.
    Mount {
        /// Whether the action may write; never [`MountAccess::Layered`].
        access: MountAccess,
        /// The host's path, as written.
        host: String,
    },
}

/// What is executed and in which surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// The program, an absolute path, and its arguments.
    pub exec: Vec<String>,
    /// Declared and without effect, as in repeatr.
    pub noop: bool,
    /// How much the action may do.
    pub policy: Option<Policy>,
    /// The working directory.
    pub cwd: Option<WrittenPath>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Who executes.
    pub userinfo: Option<UserInfo>,
    /// Whether defaults and directories are prepared.
    pub cradle: Cradle,
    /// The host's name.
    pub hostname: Option<String>,
}

/// Who executes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// User number.
    pub uid: Option<u32>,
    /// Group number.
    pub gid: Option<u32>,
    /// Login name.
    pub username: Option<String>,
    /// Home directory.
    pub homedir: Option<WrittenPath>,
}

/// How much an action may do, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Policy {
    /// What ordinary programs need.
    Routine,
    /// Also changing owners and users.
    Governor,
    /// Almost everything.
    Sysad,
}

/// Whether an action gets default surroundings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cradle {
    /// User, home, working directory, `PATH`, `/tmp`.
    #[default]
    Default,
    /// Only what the inputs hold.
    Disable,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it is packed.
    pub packtype: PackType,
    /// What happens to its metadata; unset fields are flattened when packing, and stay unset in the identity.
    pub filters: PackFilters,
}

/// Where wares come from and go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// For each input: addresses of warehouses, tried in order.
    pub fetch_urls: BTreeMap<WrittenPath, Vec<String>>,
    /// For some outputs: the address of the warehouse that keeps it.
    pub save_urls: BTreeMap<WrittenPath, String>,
}
