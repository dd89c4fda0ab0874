//! What the last build that succeeded looked at, by paths.

use std::collections::HashSet;

use super::file::Snapshot;

/// The files and directories on which what the last build came to depends, from the root of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookedAt {
    files: HashSet<String>,
    listed: HashSet<String>,
}

impl LookedAt {
    /// Whether a change of what lies at a path, or that something came or went there, can change what is built.
    pub fn concerns(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.files.contains(path) || self.listed.contains(parent)
    }
}

impl Snapshot {
    /// What was looked at; none of a snapshot that is damaged.
    pub(crate) fn looked_at(&self) -> Option<LookedAt> {
        let mut found = LookedAt::default();
        for number in 0..self.dirs() {
            let (dir, path) = (self.dir(number)?, self.dir_path(number)?);
            if dir.is_listed() {
                found.listed.insert(path.to_owned());
            }
            for file in dir.files.0..dir.files.1 {
                let name =
                    std::str::from_utf8(self.file_name(usize::try_from(file).ok()?)?).ok()?;
                found.files.insert(match path {
                    "" => name.to_owned(),
                    path => format!("{path}/{name}"),
                });
            }
        }
        Some(found)
    }
}
