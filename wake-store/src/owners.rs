//! Whose directories are trusted: the owner of a directory controls its contents.

use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The variable with which a user declares directories safe.
pub const SAFE_DIRECTORY: &str = "WAKE_SAFE_DIRECTORY";

/// Whose directories are trusted besides the user's own and root's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// The user that root works for, according to `sudo`.
    pub behind_root: Option<u32>,
    /// Directories that are trusted whoever owns them.
    pub safe: SafeDirectories,
}

/// Directories that the user declares safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SafeDirectories {
    /// These.
    These(Vec<PathBuf>),
    /// All directories, as in a container that nobody else uses.
    All,
}

impl Default for SafeDirectories {
    fn default() -> Self {
        SafeDirectories::These(Vec::new())
    }
}

impl Owners {
    /// Returns `owner`, the owner of `dir` or of something that determines it, if it is not trusted.
    pub fn stranger(&self, dir: &Path, owner: u32) -> Option<u32> {
        let me = geteuid().as_raw();
        let is_known = owner == me || owner == 0 || (me == 0 && self.behind_root == Some(owner));
        (!is_known && !self.vouch_for(dir)).then_some(owner)
    }

    /// Returns whether `dir` is trusted whoever owns it or may write to it.
    pub fn vouch_for(&self, dir: &Path) -> bool {
        match &self.safe {
            SafeDirectories::All => true,
            SafeDirectories::These(dirs) => {
                // However it is spelled: a link to a safe directory leads to that directory.
                let is_it = |safe: &PathBuf| {
                    safe == dir || safe.canonicalize().is_ok_and(|safe| safe == dir)
                };
                dirs.iter().any(is_it)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_user_and_root_are_trusted_by_default() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let me = geteuid().as_raw();
        let stranger = me + 12_345;
        let owners = Owners::default();
        assert_eq!(owners.stranger(&dir, me), None);
        assert_eq!(owners.stranger(&dir, 0), None);
        assert_eq!(owners.stranger(&dir, stranger), Some(stranger));
        let link = dir.join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        for safe in [
            SafeDirectories::All,
            SafeDirectories::These(vec!["/elsewhere".into(), dir.clone()]),
            SafeDirectories::These(vec![link]),
        ] {
            let owners = Owners { safe, ..Owners::default() };
            assert_eq!(owners.stranger(&dir, stranger), None);
        }
        let elsewhere = SafeDirectories::These(vec!["/elsewhere".into(), dir.join("below")]);
        let owners = Owners { safe: elsewhere, ..Owners::default() };
        assert_eq!(owners.stranger(&dir, stranger), Some(stranger));
    }

    #[test]
    fn only_root_trusts_the_caller_of_sudo() {
        let (me, caller) = (geteuid().as_raw(), geteuid().as_raw() + 1);
        let owners = Owners { behind_root: Some(caller), ..Owners::default() };
        let expected = (me != 0).then_some(caller);
        assert_eq!(owners.stranger(Path::new("/"), caller), expected);
    }
}
