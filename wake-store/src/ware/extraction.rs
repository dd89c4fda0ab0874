//! Processes the entries of an archive: checks their meaning, hashes them, and writes them if requested.

use super::archive::{Content, ExtractError, NoContent, Visit, copy_hashed};
use super::bucket::{Bucket, Conflict};
use super::disk::{Ownership, TreeWriter};
use super::entry_path::{EntryPath, shown};
use super::filters::{Passage, Rules};
use super::hash::Sha384Digest;
use super::meter::Meter;
use super::node::{Coverage, Meta, Node};
use super::policy::{ArchivePolicy, Names, folded};
use std::collections::HashMap;

/// The one visitor that every archive goes through.
pub(crate) struct Extraction<'a> {
    policy: ArchivePolicy,
    rules: Rules,
    coverage: Coverage,
    bucket: Bucket,
    writer: Option<TreeWriter>,
    /// For each case-folded path: its first spelling.
    spellings: HashMap<String, String>,
    entries: u64,
    meter: &'a Meter,
}

/// The contents of an archive.
#[derive(Debug)]
pub(crate) struct ExtractedTree {
    /// The root hash of what the archive declares.
    pub(crate) before: Sha384Digest,
    /// The root hash after its filters, even if this process cannot set owners.
    pub(crate) after: Sha384Digest,
    /// Whether the written files have the right owners.
    pub(crate) ownership: Ownership,
    /// Every node in hashing order.
    pub(crate) bucket: Bucket,
}

impl<'a> Extraction<'a> {
    /// Prepares to process an archive with the given coverage until `meter` is stopped, and to write it if there is a
    /// `writer`.
    pub(crate) fn new(
        policy: ArchivePolicy,
        rules: Rules,
        coverage: Coverage,
        writer: Option<TreeWriter>,
        meter: &'a Meter,
    ) -> Self {
        Self {
            policy,
            rules,
            coverage,
            bucket: Bucket::default(),
            writer,
            spellings: HashMap::new(),
            entries: 0,
            meter,
        }
    }

    /// Ends the archive: sets the times of directories and computes the hashes.
    pub(crate) fn finish(mut self) -> Result<ExtractedTree, ExtractError> {
        if self.bucket.iter().next().is_none() {
            self.entry(EntryPath::root(), Meta::conjured(), &mut NoContent)?;
        }
        let ownership = match self.writer {
            Some(writer) => writer.finish()?,
            None => Ownership::Kept,
        };
        let before = self.bucket.root_hash(self.coverage);
        let after = if self.rules.alter() {
            self.bucket.filtered(&self.rules)?.root_hash(self.coverage)
        } else {
            before
        };
        Ok(ExtractedTree { before, after, ownership, bucket: self.bucket })
    }

    fn check(&mut self, path: &EntryPath, meta: &Meta) -> Result<(), ExtractError> {
        self.entries += 1;
        if self.entries > self.policy.max_entries {
            return Err(ExtractError::Limit {
                of: "entries",
                most: self.policy.max_entries,
                path: shown(path),
            });
        }
        self.policy
            .check_path(path)
            .map_err(|problem| ExtractError::Path { path: shown(path), problem })?;
        self.check_spelling(path)?;
        if let (Node::Symlink { target }, false) = (&meta.node, self.policy.allows_link(path, meta))
        {
            return Err(ExtractError::LinkLeaves { path: shown(path), target: target.clone() });
        }
        if let Node::Hardlink { target } = &meta.node {
            self.check_hardlink(path, target)?;
        }
        if self.coverage == Coverage::EveryNode && !meta.xattrs.is_empty() {
            let kind = "a node with extended attributes";
            return Err(ExtractError::Kind { path: shown(path), kind });
        }
        Ok(())
    }

    fn check_spelling(&mut self, path: &EntryPath) -> Result<(), ExtractError> {
        if self.policy.names == Names::Unix || path.is_root() {
            return Ok(());
        }
        let exact = path.as_str();
        match self.spellings.insert(folded(exact), exact.to_owned()) {
            Some(other) if other != exact => Err(ExtractError::Alias { path: shown(path), other }),
            _ => Ok(()),
        }
    }

    fn check_hardlink(&self, path: &EntryPath, target: &str) -> Result<(), ExtractError> {
        if self.coverage == Coverage::EveryNode {
            return Err(ExtractError::Kind { path: shown(path), kind: "a hard link" });
        }
        let is_file = |meta: &Meta| matches!(meta.node, Node::File { .. } | Node::Hardlink { .. });
        match EntryPath::parse(target.as_bytes()) {
            Ok(earlier) if self.bucket.get(&earlier).is_some_and(is_file) => Ok(()),
            _ => Err(ExtractError::Hardlink {
                path: shown(path),
                target: target.escape_debug().to_string(),
            }),
        }
    }
}

impl Visit for Extraction<'_> {
    fn entry(
        &mut self,
        path: EntryPath,
        meta: Meta,
        content: &mut dyn Content,
    ) -> Result<(), ExtractError> {
        if self.meter.is_stopped() {
            return Err(ExtractError::Cancelled);
        }
        self.check(&path, &meta)?;
        let mut filtered = meta.clone();
        let passage = self.rules.apply(&path, &mut filtered)?;
        let added =
            self.bucket.add(&path, meta, None).map_err(|conflict| explain(&path, conflict))?;
        for dir in &added.conjured {
            self.check_spelling(dir)?;
            let mut meta = Meta::conjured();
            self.rules.apply(dir, &mut meta)?;
            if let Some(writer) = &mut self.writer {
                writer.create(dir, &meta, &mut NoContent)?;
            }
        }
        let writer = self.writer.as_mut().filter(|_| passage == Passage::Through);
        let digest = match (writer, &filtered.node) {
            (Some(writer), Node::Dir) if added.replaces_dir => {
                writer.redeclare_dir(&path, &filtered);
                None
            }
            (Some(writer), _) => writer.create(&path, &filtered, content)?,
            (None, Node::File { .. }) => Some(copy_hashed(content, None)?),
            (None, _) => None,
        };
        if let Some(digest) = digest {
            self.bucket.set_content(&path, digest);
        }
        Ok(())
    }
}

fn explain(path: &EntryPath, conflict: Conflict) -> ExtractError {
    match conflict {
        Conflict::Duplicate => ExtractError::Duplicate { path: shown(path) },
        Conflict::NotADirectory(above) => {
            ExtractError::NotADirectory { path: shown(path), ancestor: shown(&above) }
        }
    }
}
