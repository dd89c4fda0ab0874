//! What the file of a snapshot is made of. Source: `spec/checkout-state.md`.

use std::path::{Path, PathBuf};

pub(super) const HEAD: &[u8; 16] = b"wake snapshot 9\n";
pub(super) const SECTIONS: usize = 9;
/// Head, checksum, request, where each section ends, where the records of steps start.
pub(super) const FIXED: usize = 16 + 32 + 32 + 8 * (SECTIONS + 1);

/// The sections in their order in the file.
#[derive(Clone, Copy)]
pub(super) enum Section {
    Strings,
    Dirs,
    Files,
    Users,
    Places,
    Edges,
    Results,
    ResultFiles,
    Meta,
}

/// The checksum of the record of a step.
pub(super) fn checksum_of(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

/// The snapshots in a directory, newest first.
pub(super) fn newest_first(dir: &Path) -> Vec<PathBuf> {
    let is_one = |name: &str| name.starts_with("snapshot-") && !name.contains('.');
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_one))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}
