//! warpforge's formulas: the capsules `formula.v1` and `context.v1`.

mod read;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use wake_model::MountAccess;
use wake_store::ware::{PackType, ParseAbsPathError, WareId};

use crate::{WrittenPath, mount};

/// A formula, with the sources of its wares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The computation.
    pub formula: Formula,
    /// For some wares: the address of a warehouse.
    pub warehouses: BTreeMap<WareId, String>,
}

/// One computation. There are no defaults: it is hashed as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// The inputs.
    pub inputs: BTreeMap<Port, Input>,
    /// The command.
    pub action: Action,
    /// The outputs, by name.
    pub outputs: BTreeMap<String, Gather>,
}

/// A place in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// `/path`.
    Path(WrittenPath),
    /// `$NAME`: an environment variable.
    Variable(String),
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its content.
    pub basis: Basis,
    /// Changes to its metadata; none if the input is written as a plain string, which is another identity than an
    /// empty map.
    pub filters: Option<BTreeMap<String, String>>,
}

/// The content of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// `ware:TYPE:HASH`.
    Ware(WareId),
    /// `mount:MODE:HOSTPATH`: not hermetic.
    Mount {
        /// The command's access.
        mode: MountAccess,
        /// The host's path; a relative one starts at the formula's directory.
        host: String,
    },
    /// `literal:TEXT`: the text itself.
    Literal(String),
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only a greeting.
    Echo,
    /// A program and its arguments.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
        /// Whether there is a network; an explicit `false` is another identity than an absent field.
        network: Option<bool>,
    },
    /// Pieces of a script, all read by the same interpreter.
    Script {
        /// The interpreter.
        interpreter: String,
        /// The pieces, in order.
        contents: Vec<String>,
        /// As in [`Action::Exec`].
        network: Option<bool>,
    },
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    /// The path or variable it is taken from.
    pub from: Port,
    /// How it is packed; none for a variable.
    pub packtype: Option<PackType>,
    /// Changes to its metadata, as written.
    pub filters: Option<BTreeMap<String, String>>,
}

impl Action {
    /// Returns whether the formula asks for a network.
    pub fn wants_network(&self) -> bool {
        match self {
            Action::Echo => false,
            Action::Exec { network, .. } | Action::Script { network, .. } => {
                network.unwrap_or(false)
            }
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Path(path) => path.fmt(f),
            Port::Variable(name) => write!(f, "${name}"),
        }
    }
}

impl FromStr for Port {
    type Err = ParseAbsPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('$') {
            Some(name) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Ok(Port::Variable(name.to_owned()))
            }
            _ => text.parse().map(Port::Path),
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Basis::Ware(ware) => write!(f, "ware:{ware}"),
            Basis::Mount { mode, host } => mount::write(f, *mode, host),
            Basis::Literal(text) => write!(f, "literal:{text}"),
        }
    }
}

impl FromStr for Basis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("ware", ware)) => {
                ware.parse().map(Basis::Ware).map_err(|error| format!("{error}"))
            }
            Some(("literal", literal)) => Ok(Basis::Literal(literal.to_owned())),
            Some(("mount", mount)) => {
                let (mode, host) = mount::parse(mount).ok_or_else(|| {
                    format!("`{text}` is not a mount: expected `mount:ro:`, `mount:rw:` or `mount:overlay:` and a path")
                })?;
                Ok(Basis::Mount { mode, host: host.to_owned() })
            }
            _ => Err(format!(
                "`{text}` is not an input: expected `ware:`, `mount:` or `literal:` first"
            )),
        }
    }
}
