//! repeatr's formulas.

mod read;
mod write;
mod cradle;

pub use cradle::CompleteFormula;

use std::collections::BTreeMap;

use strum::{AsRefStr, IntoStaticStr};
use wake_model::MountAccess;
use wake_store::ware::{PackFilters, PackType, WareId};

use crate::WrittenPath;

/// A formula, with the sources and destinations of its wares. Only the formula has an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The computation.
    pub formula: Formula,
    /// The sources and destinations.
    pub context: Context,
}

/// One computation with all of its arguments bound, as declared: [`Formula::cradle`] adds the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// The inputs by path in the root file system; none if the document has no such field.
    pub inputs: Option<BTreeMap<WrittenPath, Input>>,
    /// The command.
    pub action: Action,
    /// The outputs; none if the document has no such field, which is another identity than an empty one.
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

/// A command and its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// The program, an absolute path, and its arguments.
    pub exec: Vec<String>,
    /// Declared but without effect, as in repeatr.
    pub noop: bool,
    /// The action's privileges.
    pub policy: Option<Policy>,
    /// The working directory.
    pub cwd: Option<WrittenPath>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The user.
    pub userinfo: Option<UserInfo>,
    /// Whether defaults and directories are prepared.
    pub cradle: Cradle,
    /// The host's name.
    pub hostname: Option<String>,
}

/// The user of an action.
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

/// Privileges of an action, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Policy {
    /// Enough for ordinary programs.
    Routine,
    /// Also changing owners and users.
    Governor,
    /// Almost everything.
    Sysad,
}

/// Whether an action gets a default environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cradle {
    /// User, home, working directory, `PATH`, `/tmp`.
    #[default]
    Default,
    /// Only the inputs.
    Disable,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it is packed.
    pub packtype: PackType,
    /// Changes to its metadata; unset fields are flattened when packing, and stay unset in the identity.
    pub filters: PackFilters,
}

/// The sources and destinations of wares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// For each input: addresses of warehouses, tried in order.
    pub fetch_urls: BTreeMap<WrittenPath, Vec<String>>,
    /// For some outputs: the address of the warehouse to save it to.
    pub save_urls: BTreeMap<WrittenPath, String>,
}
