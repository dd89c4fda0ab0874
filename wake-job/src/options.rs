//! The options of a job that are not in its document.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wake_model::{Network, SandboxLevel};

use crate::container::TaskRoot;
use crate::graphics::GivenGraphics;

/// The options of a job that are not in its document.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobOptions {
    /// Its root; none for its image.
    pub root: Option<RootChoice>,
    /// What the inputs and outputs without a buffer use.
    pub streams: Streams,
    /// The network that it can reach.
    pub network: Network,
    /// The level of the sandbox.
    pub sandbox: SandboxLevel,
    /// The directory to which paths of images are relative.
    pub dir: PathBuf,
    /// The place where it runs.
    pub place: Place,
    /// The GPUs of that machine that it may use; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphics: Option<GivenGraphics>,
}

/// The place where a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// On this machine.
    Here,
    /// One replica on this machine, and the others anywhere.
    Replica(u32),
    /// On another machine, which checks again whether it can run it.
    Elsewhere,
    /// In a cluster that runs its containers, and checks itself whether it can.
    Cluster,
}

impl JobOptions {
    /// Whether all processes share the machine's network.
    pub fn shares_network(&self) -> bool {
        self.network == Network::Host || self.sandbox == SandboxLevel::Weak
    }
}

/// A root in place of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RootChoice {
    /// This machine's system directories.
    Host,
    /// A directory of this machine.
    Dir(PathBuf),
}

impl RootChoice {
    /// Returns it as the root of a task.
    pub(crate) fn as_root(&self) -> TaskRoot {
        match self {
            RootChoice::Host => TaskRoot::Host,
            RootChoice::Dir(dir) => TaskRoot::Dir(dir.clone()),
        }
    }
}

/// What inputs and outputs without a buffer use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Streams {
    /// Standard input and output, for at most one of each.
    Standard,
    /// New buffers for the outputs; every input needs a buffer.
    Made,
}
