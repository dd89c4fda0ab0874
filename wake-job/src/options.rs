//! What is said of a job beside its document.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wake_model::{Network, SandboxLevel};

use crate::container::TaskRoot;
use crate::graphics::GivenGraphics;

/// What is said of a job beside its document.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobOptions {
    /// What it has below it; none: its image.
    pub root: Option<RootChoice>,
    /// Whether standard input and output stand for the buffers that nobody named.
    pub streams: Streams,
    /// What it may reach.
    pub network: Network,
    /// How strictly it is kept to what it declares.
    pub sandbox: SandboxLevel,
    /// Where paths of images begin.
    pub dir: PathBuf,
    /// Where it runs.
    pub place: Place,
    /// Which graphics processors of that machine it may have; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphics: Option<GivenGraphics>,
}

/// Where a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// On this machine.
    Here,
    /// One replica of it on this machine, the others wherever they are.
    Replica(u32),
    /// On another one, where it is looked again whether it can.
    Elsewhere,
    /// In a cluster that runs containers by itself, and says itself what it can.
    Cluster,
}

impl JobOptions {
    /// Whether all that run have the network of the machine.
    pub fn shares_network(&self) -> bool {
        self.network == Network::Host || self.sandbox == SandboxLevel::Weak
    }
}

/// What stands for an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RootChoice {
    /// This machine's system directories.
    Host,
    /// A directory of this machine.
    Dir(PathBuf),
}

impl RootChoice {
    /// The same as what lies below a job.
    pub(crate) fn as_root(&self) -> TaskRoot {
        match self {
            RootChoice::Host => TaskRoot::Host,
            RootChoice::Dir(dir) => TaskRoot::Dir(dir.clone()),
        }
    }
}

/// What stands for the buffers that nobody named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Streams {
    /// Standard input and output, for one of each.
    Standard,
    /// Buffers that are made for them.
    Made,
}
