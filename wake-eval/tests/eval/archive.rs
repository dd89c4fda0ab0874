//! Several files in one text; each starts with a line `-- name --`.
//!
//! `-- name (link) --` and `-- name (device) --` declare other kinds of files. Reading a file called `panic` panics,
//! as a bug in the evaluator would.

use std::collections::BTreeMap;
use std::path::Path;

use wake_eval::{EntryKind, ListEntry, SourceError, Sources};
use wake_model::RelPath;

/// Names of sections that are not files of the package.
const SECTIONS: [&str; 5] = ["op", "answers", "expect", "reads", "trace"];

/// The files of a case.
pub(crate) struct Archive {
    files: BTreeMap<String, (EntryKind, String)>,
}

impl Archive {
    /// Reads an archive from a file. A missing file is a package without files.
    pub(crate) fn open(path: &Path) -> Archive {
        // For a library, the path is the archive itself.
        if let Some(text) = path.to_str().filter(|text| text.starts_with("-- ")) {
            return Archive::parse(text);
        }
        crate::spec::archive(path)
            .unwrap_or_else(|| Archive::parse(&std::fs::read_to_string(path).unwrap_or_default()))
    }

    pub(crate) fn parse(text: &str) -> Archive {
        let mut files: BTreeMap<String, (EntryKind, String)> = BTreeMap::new();
        let mut current = None;
        for line in text.split_inclusive('\n') {
            if let Some(header) =
                line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"))
            {
                let (name, kind) = kind_of(header);
                files.insert(name.to_owned(), (kind, String::new()));
                current = Some(name.to_owned());
            } else if let Some((_, content)) = current.as_ref().and_then(|name| files.get_mut(name))
            {
                content.push_str(line);
            }
        }
        Archive { files }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(|(_, content)| content.as_str())
    }
}

fn kind_of(header: &str) -> (&str, EntryKind) {
    match header.rsplit_once(" (") {
        Some((name, "link)")) => (name, EntryKind::Link),
        Some((name, "device)")) => (name, EntryKind::Other),
        _ => (header, EntryKind::File),
    }
}

impl Sources for Archive {
    fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>, SourceError> {
        assert!(path.file_name() != Some("panic"), "as a fault would make it");
        match self.files.get(path.as_str()) {
            Some((EntryKind::Link, _)) => Err(SourceError {
                path: path.clone(),
                reason: "is a link that leaves the package".to_owned(),
            }),
            Some((_, content)) => Ok(Some(content.clone().into_bytes())),
            None => Ok(None),
        }
    }

    fn list(&self, dir: &RelPath) -> Result<Option<Vec<ListEntry>>, SourceError> {
        let prefix = if dir.is_root() { String::new() } else { format!("{dir}/") };
        let mut entries = BTreeMap::new();
        for (name, (kind, _)) in
            self.files.iter().filter(|(name, _)| !SECTIONS.contains(&name.as_str()))
        {
            let Some(rest) = name.strip_prefix(&prefix) else { continue };
            match rest.split_once('/') {
                Some((below, _)) => entries.insert(below.to_owned(), EntryKind::Dir),
                None => entries.insert(rest.to_owned(), *kind),
            };
        }
        // In reverse, to detect code that relies on the order of a listing.
        let entries: Vec<ListEntry> =
            entries.into_iter().rev().map(|(name, kind)| ListEntry { name, kind }).collect();
        Ok((!entries.is_empty()).then_some(entries))
    }
}
