//! The bytes of a snapshot: a head, sections of fixed records, records of steps.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, Encoder, digest_bytes};
use wake_model::{Digest, json};

use super::step_record::{StepHead, StepRecord};
use super::table::{
    DirRecord, FileRecord, Record, ResultFile, ResultRecord, StepPlace, Table, UserRecord,
};
use crate::build::BuildRequest;
use crate::session::Session;

const HEAD: &[u8; 16] = b"wake snapshot 2\n";
const SECTIONS: usize = 8;
/// Head, checksum, request, where each section starts and ends, where the records of steps start.
const FIXED: usize = 16 + 32 + 32 + 8 * (SECTIONS + 1);

/// What is told of a build beside its steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// Packages that were loaded.
    pub(crate) pkgs: usize,
    /// Lines of `std.trace`, with who said them.
    pub(crate) trace: Vec<(String, String)>,
    /// The identity of the host, if a step saw its directories.
    pub(crate) host: Option<String>,
    /// Milliseconds that all steps once took.
    pub(crate) saved_ms: u64,
}

/// The sections in their order in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sections {
    pub(crate) strings: Vec<u8>,
    pub(crate) dirs: Vec<u8>,
    pub(crate) files: Vec<u8>,
    pub(crate) users: Vec<u8>,
    pub(crate) results: Vec<u8>,
    pub(crate) result_files: Vec<u8>,
    pub(crate) meta: Vec<u8>,
}

/// A snapshot, mapped.
pub(crate) struct Snapshot {
    bytes: Mmap,
    ends: [usize; SECTIONS + 1],
}

/// What tells one request from another: everything that decides what is built, and where it is kept.
pub(crate) fn request_key(session: &Session, request: &BuildRequest) -> Digest {
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    let workspace = &session.workspace;
    e.list(12);
    e.text(env!("CARGO_PKG_VERSION"));
    e.text(wake_eval::ENGINE);
    e.uint(wake_eval::API_VERSION.into());
    e.text(&workspace.root.to_string_lossy());
    e.text(workspace.here.as_str());
    e.text(&session.store().root().to_string_lossy());
    e.text(&format!("{:?}", workspace.settings.members));
    e.list(request.targets.len());
    for target in &request.targets {
        e.text(target);
    }
    match &request.config {
        Some(config) => e.text(&json::canonical(config)),
        None => e.none(),
    }
    e.text(session.sandbox().as_str());
    e.text(&crate::pin::platform());
    e.bool(request.link);
    digest_bytes(Domain::Evaluation, &bytes)
}

/// Where the snapshot of a request lies.
pub(crate) fn place(state_dir: &Path, key: &Digest) -> PathBuf {
    state_dir.join(format!("state/snapshot-{}", key.short(16)))
}

impl Snapshot {
    /// Maps the snapshot of the request `key`; none if there is no whole one.
    pub(crate) fn open(state_dir: &Path, key: &Digest) -> Option<Snapshot> {
        let file = File::open(place(state_dir, key)).ok()?;
        // SAFETY: wake replaces these files by renaming and never changes one in place, so the mapped
        // bytes stay as they are. The directory is wake's own; who cuts a file short there while a build
        // runs can end that build, nothing more.
        let bytes = unsafe { Mmap::map(&file) }.ok()?;
        let ends = sections(&bytes, key)?;
        let covered = bytes.get(48..*ends.last()?)?;
        (bytes.get(16..48)? == blake3::hash(covered).as_bytes()).then_some(())?;
        Some(Snapshot { bytes, ends })
    }

    /// Writes a snapshot and forgets the oldest ones.
    pub(crate) fn write(
        state_dir: &Path,
        key: &Digest,
        sections: &Sections,
        steps: &[Vec<u8>],
    ) -> std::io::Result<()> {
        let place = place(state_dir, key);
        crate::state::replace(&place, &layout(key, sections, steps))?;
        forget_oldest(&place);
        Ok(())
    }

    fn section(&self, index: usize) -> &[u8] {
        let start = if index == 0 { FIXED } else { self.ends[index - 1] };
        self.bytes.get(start..self.ends[index]).unwrap_or_default()
    }

    /// A text by its place.
    pub(crate) fn text(&self, (start, length): (u32, u32)) -> Option<&str> {
        let strings = self.section(0);
        std::str::from_utf8(strings.get(start as usize..start as usize + length as usize)?).ok()
    }

    pub(crate) fn dirs(&self) -> Table<'_, DirRecord> {
        Table::new(self.section(1))
    }

    pub(crate) fn files(&self) -> Table<'_, FileRecord> {
        Table::new(self.section(2))
    }

    pub(crate) fn users(&self) -> Table<'_, UserRecord> {
        Table::new(self.section(3))
    }

    pub(crate) fn places(&self) -> Table<'_, StepPlace> {
        Table::new(self.section(4))
    }

    pub(crate) fn results(&self) -> Table<'_, ResultRecord> {
        Table::new(self.section(5))
    }

    pub(crate) fn result_files(&self) -> Table<'_, ResultFile> {
        Table::new(self.section(6))
    }

    pub(crate) fn meta(&self) -> Option<Meta> {
        postcard::from_bytes(self.section(7)).ok()
    }

    /// The bytes of the record of a step, checked.
    pub(crate) fn step_bytes(&self, step: usize) -> Option<&[u8]> {
        let StepPlace { at, length, checksum } = self.places().get(step)?;
        let start = self.ends[SECTIONS].checked_add(usize::try_from(at).ok()?)?;
        let bytes = self.bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)?;
        (checksum_of(bytes) == checksum).then_some(bytes)
    }

    /// The record of a step.
    pub(crate) fn step(&self, step: usize) -> Option<StepRecord> {
        StepRecord::decode(self.step_bytes(step)?)
    }

    /// The head of the record of a step.
    pub(crate) fn step_head(&self, step: usize) -> Option<StepHead<'_>> {
        StepHead::decode(self.step_bytes(step)?)
    }

    /// A copy of the sections, for a snapshot that differs a little.
    pub(crate) fn sections(&self) -> Sections {
        Sections {
            strings: self.section(0).to_vec(),
            dirs: self.section(1).to_vec(),
            files: self.section(2).to_vec(),
            users: self.section(3).to_vec(),
            results: self.section(5).to_vec(),
            result_files: self.section(6).to_vec(),
            meta: self.section(7).to_vec(),
        }
    }
}

fn checksum_of(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

fn layout(key: &Digest, sections: &Sections, steps: &[Vec<u8>]) -> Vec<u8> {
    let mut places = Vec::with_capacity(steps.len() * StepPlace::SIZE);
    let mut at = 0u64;
    for step in steps {
        let length = step.len() as u64;
        StepPlace { at, length, checksum: checksum_of(step) }.put(&mut places);
        at += length;
    }
    let Sections { strings, dirs, files, users, results, result_files, meta } = sections;
    let all = [strings, dirs, files, users, &places, results, result_files, meta];
    let total: usize = all.iter().map(|section| section.len()).sum();
    let mut bytes = Vec::with_capacity(FIXED + total + usize::try_from(at).unwrap_or(0));
    bytes.extend_from_slice(HEAD);
    bytes.extend_from_slice(&[0; 32]);
    bytes.extend_from_slice(key.as_bytes());
    let mut end = FIXED as u64;
    for section in all {
        end += section.len() as u64;
        bytes.extend_from_slice(&end.to_le_bytes());
    }
    bytes.extend_from_slice(&end.to_le_bytes());
    for section in all {
        bytes.extend_from_slice(section);
    }
    let checksum = blake3::hash(&bytes[48..]);
    bytes[16..48].copy_from_slice(checksum.as_bytes());
    for step in steps {
        bytes.extend_from_slice(step);
    }
    bytes
}

fn sections(bytes: &[u8], key: &Digest) -> Option<[usize; SECTIONS + 1]> {
    let rest = bytes.strip_prefix(HEAD)?.get(32..)?;
    let mut rest = rest.strip_prefix(key.as_bytes())?;
    let mut ends = [0; SECTIONS + 1];
    let mut last = FIXED;
    for end in &mut ends {
        let (number, tail) = rest.split_first_chunk()?;
        rest = tail;
        *end = usize::try_from(u64::from_le_bytes(*number)).ok()?;
        if *end < last || *end > bytes.len() {
            return None;
        }
        last = *end;
    }
    Some(ends)
}

/// Requests that are not made any more need no snapshot.
fn forget_oldest(newest: &Path) {
    const KEPT: usize = 8;
    let Some(dir) = newest.parent() else { return };
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("snapshot-"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort();
    for (_, path) in found.iter().rev().skip(KEPT) {
        // Another process may have been faster.
        let _ = std::fs::remove_file(path);
    }
}
