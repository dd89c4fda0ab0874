//! Images that wake keeps under a name, as container engines do.

use std::fs;
use std::io;
use std::path::PathBuf;

use wake_model::TreeDigest;
use wake_store::ware::new_guid;

use crate::error::{ImageError, at};
use crate::images::Images;

/// The directory of the links, below the root of the store. Their targets are not garbage-collected.
const LINKS: &str = "outside/images";
/// The host that container engines give to their own images.
const OWN: &str = "localhost/";

impl Images<'_> {
    /// Keeps the layout in directory `below` of a tree as `name`, replacing any previous one.
    pub fn keep_as(&self, name: &str, tree: &TreeDigest, below: &str) -> Result<(), ImageError> {
        let links = self.store.root().join(LINKS);
        at(&links, fs::create_dir_all(&links))?;
        self.store.register_root(&links)?;
        let link = links.join(file_name(&whole(name)));
        let new = links.join(format!(".{}", new_guid()));
        let target = self.store.tree_place(tree).join(below);
        at(&new, std::os::unix::fs::symlink(target, &new))?;
        let renamed = fs::rename(&new, &link);
        if renamed.is_err() {
            let _ = fs::remove_file(&new);
        }
        at(&link, renamed)
    }

    /// The path of the layout kept as `name`; `localhost/` and the tag `latest` may be omitted.
    pub fn kept_as(&self, name: &str) -> Result<Option<PathBuf>, ImageError> {
        let link = self.store.root().join(LINKS).join(file_name(&whole(name)));
        match fs::read_link(&link) {
            Ok(layout) => Ok(Some(layout)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ImageError::Io { path: link, source }),
        }
    }
}

/// The name with its optional parts.
fn whole(name: &str) -> String {
    let begin = if name.contains('/') { "" } else { OWN };
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    let end = if has_tag { "" } else { ":latest" };
    format!("{begin}{name}{end}")
}

/// Hashes the name, which may be too long for a file name.
fn file_name(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn optional_parts_of_a_name_have_defaults() {
        for name in ["app", "app:latest", "localhost/app", "localhost/app:latest"] {
            assert_eq!(whole(name), "localhost/app:latest");
        }
        assert_eq!(whole("r.example:5000/app"), "r.example:5000/app:latest");
        assert_eq!(whole("app:1"), "localhost/app:1");
    }
}
