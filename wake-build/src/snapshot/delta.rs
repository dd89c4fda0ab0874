//! Changes that builds made to a snapshot after it was written: frames appended to a file beside it.
//!
//! Each frame has a hash over the state it was made for and its content; that hash is the state after
//! it. A frame is valid only if it continues exactly what its writer had read: of two builds that started from
//! the same state the first one wins, a torn frame ends the file, and frames of another snapshot are ignored.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use wake_store::ConfinedPath;

use super::signature::Proof;
use super::table::FileRecord;
use crate::files::Signature;
use crate::shelf::ShelfEntry;

const HEAD: &[u8; 16] = b"wake delta 2\n\n\n\n";
/// Length and hash.
const FRAME_HEAD: usize = 4 + 32;
/// The largest file in bytes: wake writes a new snapshot before that.
const LARGEST: u64 = 256 << 20;

/// Changes since a snapshot was written, by number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Patch {
    /// Files with different content.
    pub(crate) files: Vec<(u32, FileRecord)>,
    /// Proofs that other files are unchanged.
    pub(crate) file_proofs: Vec<(u32, Proof)>,
    /// Proofs that directories are unchanged.
    pub(crate) dir_proofs: Vec<(u32, Proof)>,
    /// The bytes of step records.
    pub(crate) steps: Vec<(u32, Vec<u8>)>,
    pub(crate) results: Vec<(u32, PatchedResult)>,
    /// Proofs that links are unchanged, by the numbers of their results.
    pub(crate) links: Vec<(u32, Proof)>,
}

/// The place of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PatchedResult {
    /// The path of its tree.
    pub(crate) target: String,
    /// Its files by their paths below the target.
    pub(crate) files: Vec<(String, Signature)>,
}

/// Patches laid over each other.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    pub(super) files: BTreeMap<u32, FileRecord>,
    pub(super) file_proofs: BTreeMap<u32, Proof>,
    pub(super) dir_proofs: BTreeMap<u32, Proof>,
    pub(super) steps: BTreeMap<u32, StepBytes>,
    pub(super) results: BTreeMap<u32, PatchedResult>,
    pub(super) links: BTreeMap<u32, Proof>,
}

/// The bytes of a step record.
#[derive(Debug)]
pub(super) enum StepBytes {
    Read(Vec<u8>),
    Shelved(ShelfEntry),
}

/// The file of frames, as far as it was read.
#[derive(Debug)]
pub(super) struct Delta {
    place: ConfinedPath,
    /// The valid bytes; empty if there are none.
    valid: Vec<u8>,
    /// Whether invalid bytes follow.
    is_spoiled: bool,
    state: [u8; 32],
}

impl Patch {
    /// Returns its approximate size in bytes.
    pub(super) fn size(&self) -> u64 {
        let Patch { files, file_proofs, dir_proofs, steps, results, links } = self;
        let proofs = file_proofs.len() + dir_proofs.len() + links.len();
        let of_steps: u64 = steps.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let of_results: u64 = results.iter().map(|(_, result)| result.size()).sum();
        100 * files.len() as u64 + 40 * proofs as u64 + of_steps + of_results
    }

    /// Splits it into changes and mere proofs.
    pub(super) fn split(self) -> (Patch, Patch) {
        let Patch { files, file_proofs, dir_proofs, steps, results, links } = self;
        let content = Patch { files, steps, results, ..Patch::default() };
        (content, Patch { file_proofs, dir_proofs, links, ..Patch::default() })
    }
}

impl PatchedResult {
    /// Returns its approximate size in bytes.
    fn size(&self) -> u64 {
        (self.target.len() + 64 * self.files.len()) as u64
    }
}

impl Overlay {
    /// Returns the approximate size of [`Overlay::content`] in bytes.
    pub(super) fn size_of_content(&self) -> u64 {
        let of_steps: u64 = self.steps.values().map(|bytes| bytes.len() as u64).sum();
        let of_results: u64 = self.results.values().map(PatchedResult::size).sum();
        100 * self.files.len() as u64 + of_steps + of_results
    }

    /// Lays a patch over the others.
    pub(super) fn put(&mut self, patch: Patch) {
        let Patch { files, file_proofs, dir_proofs, steps, results, links } = patch;
        self.file_proofs.extend(files.iter().map(|(number, file)| (*number, file.proof())));
        self.files.extend(files);
        self.file_proofs.extend(file_proofs);
        self.dir_proofs.extend(dir_proofs);
        self.steps.extend(steps.into_iter().map(|(step, bytes)| (step, StepBytes::Read(bytes))));
        // A link to another tree is another link.
        self.links.extend(results.iter().map(|(number, _)| (*number, Proof::NONE)));
        self.results.extend(results);
        self.links.extend(links);
    }

    /// Lays step records over the others.
    pub(super) fn put_steps(&mut self, steps: Vec<(u32, ShelfEntry)>) {
        let steps = steps.into_iter();
        self.steps.extend(steps.map(|(step, record)| (step, StepBytes::Shelved(record))));
    }

    /// Returns all changes without mere proofs; none if a spooled record cannot be read.
    pub(super) fn content(&self) -> Option<Patch> {
        fn all<T: Clone>(map: &BTreeMap<u32, T>) -> Vec<(u32, T)> {
            map.iter().map(|(number, value)| (*number, value.clone())).collect()
        }
        let (files, results) = (all(&self.files), all(&self.results));
        let mut steps = Vec::with_capacity(self.steps.len());
        for (number, bytes) in &self.steps {
            steps.push((*number, bytes.read(&mut Vec::new())?.to_vec()));
        }
        Some(Patch { files, steps, results, ..Patch::default() })
    }
}

/// Returns the overlay of the thing with this number.
pub(super) fn at<T>(map: &BTreeMap<u32, T>, number: usize) -> Option<&T> {
    map.get(&u32::try_from(number).ok()?)
}

impl StepBytes {
    fn len(&self) -> usize {
        match self {
            StepBytes::Read(bytes) => bytes.len(),
            StepBytes::Shelved(record) => record.len(),
        }
    }

    /// Returns the bytes, read into `buffer` if they are not in memory.
    pub(super) fn read<'b>(&'b self, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        match self {
            StepBytes::Read(bytes) => Some(bytes),
            StepBytes::Shelved(record) => record.read(buffer),
        }
    }
}

impl Delta {
    /// Reads the frames beside the snapshot at `snapshot`, whose checksum is `state`, oldest first.
    pub(super) fn read(
        snapshot: &ConfinedPath,
        state: [u8; 32],
        mut tell: impl FnMut(Patch),
    ) -> Delta {
        let place = place(snapshot);
        let mut bytes = place.read(LARGEST).unwrap_or_default();
        let mut state = state;
        let mut end = 0;
        if let Some(mut rest) = bytes.strip_prefix(HEAD) {
            // The first frame that does not continue the state ends the valid part: it is torn, or from a build that had
            // started from an older state while another was faster.
            while let Some((patch, after, tail)) = frame(&state, rest) {
                tell(patch);
                state = after;
                rest = tail;
                end = bytes.len() - rest.len();
            }
        }
        let is_spoiled = end < bytes.len();
        bytes.truncate(end);
        Delta { place, valid: bytes, is_spoiled, state }
    }

    /// Replaces all frames beside the snapshot at `snapshot` with one for `patch`, made for `state`.
    pub(super) fn begin(snapshot: &ConfinedPath, state: [u8; 32], patch: &Patch) -> io::Result<()> {
        let place = place(snapshot);
        let mut delta = Delta { place, valid: Vec::new(), is_spoiled: false, state };
        delta.append(&delta.frame(patch))
    }

    /// Returns the number of valid bytes.
    pub(super) fn length(&self) -> u64 {
        self.valid.len() as u64
    }

    /// Returns the frame for `patch`, made for the state that was read.
    pub(super) fn frame(&self, patch: &Patch) -> Vec<u8> {
        // Only types that cannot be written as a sequence of bytes fail, and these can.
        let payload = postcard::to_stdvec(patch).unwrap_or_default();
        let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&chained(&self.state, &payload));
        frame.extend_from_slice(&payload);
        frame
    }

    /// Appends a frame from [`Delta::frame`].
    ///
    /// The next frame continues it.
    pub(super) fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        self.write(frame)?;
        if self.valid.is_empty() {
            self.valid.extend_from_slice(HEAD);
        }
        self.valid.extend_from_slice(frame);
        self.is_spoiled = false;
        if let Some(state) = frame.get(4..FRAME_HEAD).and_then(|hash| hash.try_into().ok()) {
            self.state = state;
        }
        Ok(())
    }

    fn write(&self, frame: &[u8]) -> io::Result<()> {
        if self.valid.is_empty() || self.is_spoiled {
            let before = if self.valid.is_empty() { HEAD.as_slice() } else { &self.valid };
            return self.place.replace_by(&[before, frame]);
        }
        // A single write: a frame that another process appends is before or after it, and then one of them is invalid.
        match self.place.append() {
            Ok(mut file) => file.write_all(frame),
            Err(_) => self.place.replace_by(&[&self.valid, frame]),
        }
    }

    /// Returns whether the file has exactly the valid length.
    pub(super) fn is_all(&self) -> bool {
        let length = self.place.stat().ok().map(|stat| stat.st_size.cast_unsigned());
        length.unwrap_or(0) == self.length() && !self.is_spoiled
    }
}

/// Returns the path of the frames for the snapshot at `snapshot`.
pub(super) fn place(snapshot: &ConfinedPath) -> ConfinedPath {
    snapshot.beside(".delta")
}

fn chained(state: &[u8; 32], payload: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(state).update(payload);
    hasher.finalize().into()
}

/// Returns the next frame, the state after it, and the remaining bytes.
fn frame<'a>(state: &[u8; 32], bytes: &'a [u8]) -> Option<(Patch, [u8; 32], &'a [u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    (chained(state, payload) == *hash).then_some(())?;
    Some((postcard::from_bytes(payload).ok()?, *hash, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BASE: [u8; 32] = [7; 32];

    fn patch(step: u32) -> Patch {
        Patch { steps: vec![(step, vec![1; 40])], ..Patch::default() }
    }

    fn read(snapshot: &ConfinedPath, base: [u8; 32]) -> (Delta, Vec<Patch>) {
        let mut patches = Vec::new();
        let delta = Delta::read(snapshot, base, |patch| patches.push(patch));
        (delta, patches)
    }

    fn append(snapshot: &ConfinedPath, step: u32) {
        let (mut delta, _) = read(snapshot, BASE);
        delta.append(&delta.frame(&patch(step))).unwrap();
    }

    /// Returns the path of a snapshot in a directory of its own.
    fn scene() -> (tempfile::TempDir, ConfinedPath) {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = ConfinedPath::top(dir.path()).unwrap().join("snapshot");
        (dir, snapshot)
    }

    #[test]
    fn a_changed_result_invalidates_knowledge_of_its_link() {
        let proof = Proof::from(Signature { size: 3, ..Signature::default() });
        let known = Patch { links: vec![(5, proof)], ..Patch::default() };
        let result = PatchedResult { target: "elsewhere".to_owned(), files: Vec::new() };
        let led_elsewhere = Patch { results: vec![(5, result)], ..Patch::default() };
        let mut overlay = Overlay::default();
        assert_eq!(at(&overlay.links, 5), None);
        overlay.put(known.clone());
        assert_eq!(at(&overlay.links, 5), Some(&proof));
        overlay.put(led_elsewhere);
        assert_eq!(at(&overlay.links, 5), Some(&Proof::NONE));
        overlay.put(known);
        assert_eq!(at(&overlay.links, 5), Some(&proof));
    }

    #[test]
    fn a_shelved_record_replaces_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = crate::shelf::Shelf::new(ConfinedPath::top(dir.path()).unwrap());
        let mut overlay = Overlay::default();
        overlay.put(patch(1));
        overlay.put(patch(2));
        overlay.put_steps(vec![(2, shelf.put(b"newer"))]);
        let step = |number| {
            let mut buffer = Vec::new();
            at(&overlay.steps, number)?.read(&mut buffer).map(<[u8]>::to_vec)
        };
        assert_eq!(step(1), Some(vec![1; 40]));
        assert_eq!(step(2), Some(b"newer".to_vec()));
        assert_eq!(step(3), None);
        let steps = vec![(1, vec![1; 40]), (2, b"newer".to_vec())];
        assert_eq!(overlay.content(), Some(Patch { steps, ..Patch::default() }));
        assert_eq!(overlay.size_of_content(), 45);
    }

    #[test]
    fn frames_are_read_back_in_order() {
        let (_dir, snapshot) = scene();
        assert!(read(&snapshot, BASE).1.is_empty());
        (1..4).for_each(|step| append(&snapshot, step));
        assert_eq!(read(&snapshot, BASE).1, [patch(1), patch(2), patch(3)]);
    }

    #[test]
    fn the_first_of_two_builds_from_one_state_counts() {
        let (_dir, snapshot) = scene();
        append(&snapshot, 1);
        let ((mut one, _), (mut other, _)) = (read(&snapshot, BASE), read(&snapshot, BASE));
        one.append(&one.frame(&patch(2))).unwrap();
        other.append(&other.frame(&patch(3))).unwrap();
        assert_eq!(read(&snapshot, BASE).1, [patch(1), patch(2)]);
        append(&snapshot, 4);
        assert_eq!(read(&snapshot, BASE).1, [patch(1), patch(2), patch(4)]);
    }

    #[test]
    fn a_writer_appends_until_another_has_appended() {
        let (_dir, snapshot) = scene();
        let (mut delta, _) = read(&snapshot, BASE);
        for step in 1..4 {
            assert!(delta.is_all());
            delta.append(&delta.frame(&patch(step))).unwrap();
        }
        assert!(delta.is_all());
        assert_eq!(read(&snapshot, BASE).1, [patch(1), patch(2), patch(3)]);
        append(&snapshot, 4);
        assert!(!delta.is_all());
    }

    #[test]
    fn frames_of_another_snapshot_are_ignored_and_replaced() {
        let (_dir, snapshot) = scene();
        append(&snapshot, 1);
        let (mut delta, patches) = read(&snapshot, [8; 32]);
        assert!(patches.is_empty());
        delta.append(&delta.frame(&patch(2))).unwrap();
        assert_eq!(read(&snapshot, [8; 32]).1, [patch(2)]);
        assert!(read(&snapshot, BASE).1.is_empty());
    }

    #[test]
    fn only_whole_frames_before_damage_count() {
        let (_dir, snapshot) = scene();
        (1..4).for_each(|step| append(&snapshot, step));
        let whole = std::fs::read(place(&snapshot).path()).unwrap();
        let frame = (whole.len() - HEAD.len()) / 3;
        for at in 0..whole.len() {
            std::fs::write(place(&snapshot).path(), &whole[..at]).unwrap();
            let left = at.saturating_sub(HEAD.len()) / frame;
            assert_eq!(read(&snapshot, BASE).1.len(), left, "cut at {at}");
            let mut altered = whole.clone();
            altered[at] ^= 1;
            std::fs::write(place(&snapshot).path(), &altered).unwrap();
            assert_eq!(read(&snapshot, BASE).1.len(), left, "altered at {at}");
        }
    }
}
