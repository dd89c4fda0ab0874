//! Removes the parts of a text that differ between runs.

use std::path::{Path, PathBuf};

use regex::Regex;

/// What to remove: directories by name, and times and digests by shape.
#[derive(Clone)]
pub(crate) struct Redactions {
    paths: Vec<(String, PathBuf)>,
}

impl Redactions {
    /// Replaces the paths in this order; the first is the workspace's root.
    pub(crate) fn new(paths: &[(&str, &Path)]) -> Redactions {
        let paths = paths.iter().map(|(name, path)| (format!("[{name}]"), path.to_path_buf()));
        Redactions { paths: paths.collect() }
    }

    /// Returns the workspace root.
    pub(crate) fn root(&self) -> &Path {
        &self.paths[0].1
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, path) in &self.paths {
            text = text.replace(&*path.to_string_lossy(), name);
        }
        for (shape, name) in SHAPES {
            text = Regex::new(shape).unwrap().replace_all(&text, name).into_owned();
        }
        text
    }
}

/// Shapes, in the order they are replaced: part of a run's name can look like a time.
const SHAPES: [(&str, &str); 6] = [
    (r"(?m)^\[\d+:\d\d\.\d\] ", "[TIME] "),
    (r"\b[0-9a-z]{8}-[0-9a-z]{8}-[0-9a-z]{8}\b", "[RUN]"),
    (r"\b(\d+m)?\d+(\.\d+)?m?s\b", "[TIME]"),
    (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
    (r"\btar:[1-9A-HJ-NP-Za-km-z]{60,}", "[WARE]"),
    (r"unchanged: \d+ other", "unchanged: [N] other"),
];
