//! Control groups: what the kernel counts of a command and of all that it starts, and bounds.
//!
//! A wake makes one directory of its own in each hierarchy, at the first command that has a limit, and below it one for each
//! such command. It holds a lock on it, by which others know that it lives: what a killed one has left is removed by the next.

mod hierarchy;
mod home;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use home::{CommandGroup, GroupHome};

/// The two interfaces of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    /// A hierarchy for each controller.
    V1,
    /// One for all of them.
    V2,
}

/// The directories of the group of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupDirs {
    pub(crate) version: Version,
    /// Where its memory is counted.
    pub(crate) memory: PathBuf,
    /// Where its processes are, if they are: the same as `memory` in the second version.
    pub(crate) processes: Option<PathBuf>,
    /// The same of the time of processors.
    pub(crate) processors: Option<PathBuf>,
}

impl GroupDirs {
    /// Each directory once.
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
