//! What the file of a snapshot is made of. Source: `spec/checkout-state.md`.

use std::ffi::OsStr;

use wake_store::ConfinedPath;

pub(super) const HEAD: &[u8; 16] = b"wake snapshot 14";
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

/// How the names of snapshots begin.
pub(super) const NAME: &str = "snapshot-";
/// Digits of a request's key in the name of its snapshot.
pub(super) const NAME_DIGITS: usize = 16;

/// The snapshots in a directory, newest first.
pub(super) fn newest_first(dir: &ConfinedPath) -> Vec<ConfinedPath> {
    let mut found = dir.entries(is_snapshot).unwrap_or_default();
    found.sort_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
    found.into_iter().map(|entry| dir.join(entry.name)).collect()
}

fn is_snapshot(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(NAME));
    digits.is_some_and(|digits| {
        digits.len() == NAME_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
