//! The format of snapshot files. Source: `spec/checkout-state.md`.

use std::ffi::OsStr;

use wake_store::ConfinedPath;

pub(super) const HEAD: &[u8; 16] = b"wake snapshot 14";
pub(super) const SECTIONS: usize = 9;
/// The size of the fixed part: head, checksum, request, section ends, start of the step records.
pub(super) const FIXED: usize = 16 + 32 + 32 + 8 * (SECTIONS + 1);

/// The sections, in file order.
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

/// Returns the checksum of a step record.
pub(super) fn checksum_of(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

/// The prefix of snapshot names.
pub(super) const NAME: &str = "snapshot-";
/// How many digits of a request's key are in the name of its snapshot.
pub(super) const NAME_DIGITS: usize = 16;

/// Returns the snapshots in a directory, newest first.
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
