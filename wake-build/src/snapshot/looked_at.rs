//! The paths that the last successful build looked at.

use std::collections::HashSet;

use super::file::Snapshot;

/// The files and directories that the result of the last build depends on, relative to the root of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookedAt {
    files: HashSet<String>,
    listed: HashSet<String>,
}

impl LookedAt {
    /// Returns whether a change at a path, or something created or deleted there, can change what is built.
    pub fn concerns(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.files.contains(path) || self.listed.contains(parent)
    }
}

impl Snapshot {
    /// Returns what was looked at; none if the snapshot is damaged.
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
