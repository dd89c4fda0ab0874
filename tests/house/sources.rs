//! The files of a checkout.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Returns the text of a file of a checkout, by its path from the root; `None` if it cannot be read.
pub(crate) trait Sources {
    fn text(&self, path: &str) -> Option<String>;
}

/// A checkout on disk.
pub(crate) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The checkout named by `WAKE_HOUSE_ROOT`, else the one that contains these tests.
    pub(crate) fn here() -> Self {
        let named = std::env::var_os("WAKE_HOUSE_ROOT").map(PathBuf::from);
        let own = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        Self { root: named.unwrap_or_else(own) }
    }

    /// The names in a directory, sorted.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(dir)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Sources for Checkout {
    fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }
}

impl Sources for BTreeMap<&str, &str> {
    fn text(&self, path: &str) -> Option<String> {
        self.get(path).map(|&text| text.to_owned())
    }
}
