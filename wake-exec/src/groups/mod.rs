//! Control groups: how the kernel accounts for and bounds a command and all its descendants.
//!
//! A wake process creates one directory of its own in each hierarchy, at the first command that has a limit, and below
//! it one for each such command. It holds a lock on the directory to show that it is alive: leftovers of a killed
//! process are removed by the next.

mod hierarchy;
mod home;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use home::{CommandGroup, GroupHome};

/// The two kernel interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    /// One hierarchy per controller.
    V1,
    /// One hierarchy for all controllers.
    V2,
}

/// The directories of one command's group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupDirs {
    pub(crate) version: Version,
    /// Where its memory is accounted.
    pub(crate) memory: PathBuf,
    /// Where its processes are counted, if they are: the same as `memory` in version 2.
    pub(crate) processes: Option<PathBuf>,
    /// The same for CPU time.
    pub(crate) processors: Option<PathBuf>,
}

impl GroupDirs {
    /// Returns each directory once.
    pub(crate) fn all(&self) -> Vec<&PathBuf> {
        let mut all = vec![&self.memory];
        for dir in [&self.processes, &self.processors].into_iter().flatten() {
            if !all.contains(&dir) {
                all.push(dir);
            }
        }
        all
    }
}
