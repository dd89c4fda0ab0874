//! Reading a snapshot: mapped tables, step records, and the changes of later builds over them.

use std::cmp::Ordering;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};
use serde::{Deserialize, Serialize};
use wake_exec::HostIdentity;
use wake_model::place::PKG_FILE;
use wake_model::{BlobDigest, Digest, LOCK_FILE, RelPath};
use wake_store::ConfinedPath;

use super::delta::{Delta, Overlay, at};
use super::format::{FIXED, HEAD, NAME, NAME_DIGITS, SECTIONS, Section, checksum_of, newest_first};
use super::proofs::Proofs;
use super::signature::Proof;
use super::step_record::StepRecord;
use super::table::{
    Content, DirRecord, FileKind, FileRecord, ResultFile, ResultRecord, StepPlace, Table,
    UserRecord,
};
use crate::files::{FileMemory, Signature, read_at_most};
use crate::fixed::Fixed;
use crate::sources::LARGEST as LARGEST_SOURCE;
use crate::workspace::WORKSPACE_FILE;
use wake_steps::diagnostic::Diagnostic;

/// The directory of snapshots, in the state directory of a checkout.
pub(super) const STATE: &str = "state";
/// The largest snapshot, and tables, in bytes: those of ten million files are smaller.
const LARGEST: u64 = 16 << 30;
const LARGEST_TABLES: usize = 2 << 30;
/// The largest step record in bytes.
const LARGEST_RECORD: u64 = 256 << 20;

/// What is known of a build besides its steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// The number of packages loaded.
    pub(crate) pkgs: usize,
    /// Lines of `std.trace`, each with its origin.
    pub(crate) trace: Vec<(String, String)>,
    /// Warnings about modules that were left out.
    pub(crate) warnings: Vec<Diagnostic>,
    /// The identity of the host, if a step saw its directories.
    pub(crate) host: Option<HostIdentity>,
    /// The boot in which sources and results were examined: a power cut could have damaged them unnoticed in another one.
    pub(crate) boot: Option<[u8; 16]>,
    /// Milliseconds that all steps originally took.
    pub(crate) saved_ms: u64,
}

/// A snapshot: its tables are mapped, its step records read on demand.
pub(crate) struct Snapshot {
    pub(super) place: ConfinedPath,
    pub(super) key: Digest,
    pub(super) file: File,
    /// The size of the file.
    pub(super) size: u64,
    /// The file up to the step records.
    bytes: Mmap,
    ends: [usize; SECTIONS + 1],
    pub(super) checksum: [u8; 32],
    /// Proofs that replace those in the tables.
    pub(super) proofs: Option<Proofs>,
    /// Changes since the tables were written.
    pub(super) overlay: Overlay,
    pub(super) delta: Delta,
}

/// The result of a step with a link.
#[derive(Clone, Copy)]
pub(crate) struct ResultView<'a> {
    /// The link's path below the directory of links.
    pub(crate) link: &'a str,
    /// The path of its tree.
    pub(crate) target: &'a str,
    /// The signature of the link, if it proves the link's target.
    pub(super) proof: Proof,
    files: ResultFiles<'a>,
}

#[derive(Clone, Copy)]
enum ResultFiles<'a> {
    Written(&'a Snapshot, (u32, u32)),
    Patched(&'a [(String, Signature)]),
}

/// Returns the name under which checkouts of one repository share the snapshot of a request: those with the same top-level entries,
/// root package and lock.
pub(crate) fn shared_name(key: &Digest, root: &Path) -> String {
    let read = |name: &str| read_at_most(&root.join(name), LARGEST_SOURCE).unwrap_or_default();
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_encoded_bytes()).collect();
    names.retain(|name| !name.starts_with(b"."));
    names.sort();
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes());
    for part in names.into_iter().chain([WORKSPACE_FILE, PKG_FILE, LOCK_FILE].map(read)) {
        hasher.update(blake3::hash(&part).as_bytes());
    }
    Digest::from_bytes(hasher.finalize().into()).short(32)
}

/// Returns the path of a request's snapshot.
pub(crate) fn place(state_dir: &ConfinedPath, key: &Digest) -> ConfinedPath {
    state_dir.join(format!("{STATE}/{NAME}{}", key.short(NAME_DIGITS)))
}

impl Meta {
    /// Returns whether signatures in the snapshot were taken in this boot.
    ///
    /// Without boot ids, a power cut could have gone unnoticed.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.boot.is_some() && self.boot == wake_store::current_boot()
    }
}

impl Snapshot {
    /// Maps the snapshot of the request `key` at `place`; none if there is no complete one.
    pub(crate) fn open(place: ConfinedPath, key: &Digest) -> Option<Snapshot> {
        Snapshot::map(place).filter(|snapshot| snapshot.key == *key)
    }

    /// Maps the newest snapshot of any request, for what it knows of files.
    pub(crate) fn newest(state_dir: &ConfinedPath) -> Option<Snapshot> {
        newest_first(&state_dir.join(STATE)).into_iter().next().and_then(Snapshot::map)
    }

    fn map(place: ConfinedPath) -> Option<Snapshot> {
        let file = place.open().ok()?;
        let size = Some(file.metadata().ok()?.len()).filter(|size| *size <= LARGEST)?;
        let mut fixed = [0; FIXED];
        file.read_exact_at(&mut fixed, 0).ok()?;
        let (key, ends) = head(&fixed, usize::try_from(size).ok()?)?;
        (ends[SECTIONS] <= LARGEST_TABLES).then_some(())?;
        // SAFETY: wake replaces these files by renaming and never changes one in place, so the mapped
        // bytes do not change. The directory is wake's own; truncating a file there while a build
        // runs can crash that build, nothing more.
        let bytes = unsafe { MmapOptions::new().len(ends[SECTIONS]).map(&file) }.ok()?;
        let covered = bytes.get(48..*ends.last()?)?;
        let checksum = blake3::Hasher::new().update_rayon(covered).finalize();
        (bytes.get(16..48)? == checksum.as_bytes()).then_some(())?;
        let checksum = *checksum.as_bytes();
        let count =
            |section: Section, size| (ends[section as usize] - ends[section as usize - 1]) / size;
        let counts = [
            count(Section::Dirs, DirRecord::SIZE),
            count(Section::Files, FileRecord::SIZE),
            count(Section::Results, ResultRecord::SIZE),
        ];
        let proofs = Proofs::read(&place, &checksum, counts);
        let state = proofs.as_ref().and_then(Proofs::state).unwrap_or(checksum);
        let mut overlay = Overlay::default();
        let delta = Delta::read(&place, state, |patch| overlay.put(patch));
        Some(Snapshot { place, key, file, size, bytes, ends, checksum, proofs, overlay, delta })
    }

    /// Returns its path.
    pub(crate) fn place(&self) -> &ConfinedPath {
        &self.place
    }

    fn section(&self, section: Section) -> &[u8] {
        let index = section as usize;
        let start = if index == 0 { FIXED } else { self.ends[index - 1] };
        self.bytes.get(start..self.ends[index]).unwrap_or_default()
    }

    /// Returns the number below `count` for which `compare` returns equal, by binary search.
    fn find(&self, count: usize, compare: impl Fn(usize) -> Option<Ordering>) -> Option<usize> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            match compare(middle)? {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Returns the text at a place.
    pub(crate) fn text(&self, place: (u32, u32)) -> Option<&str> {
        std::str::from_utf8(self.bytes_at(place)?).ok()
    }

    /// Returns the bytes of the text at a place.
    pub(super) fn bytes_at(&self, (start, length): (u32, u32)) -> Option<&[u8]> {
        let strings = self.section(Section::Strings);
        strings.get(start as usize..start as usize + length as usize)
    }

    pub(super) fn table<R: Fixed>(&self, section: Section) -> Table<'_, R> {
        Table::new(self.section(section))
    }

    /// Returns the number of directories.
    pub(crate) fn dirs(&self) -> usize {
        self.table::<DirRecord>(Section::Dirs).len()
    }

    /// Returns a directory.
    pub(crate) fn dir(&self, number: usize) -> Option<DirRecord> {
        let dir: DirRecord = self.table(Section::Dirs).get(number)?;
        Some(match Proof::read(self.dir_proof(number)?) {
            Proof::NONE => DirRecord { settled: false, ..dir },
            proof => DirRecord { settled: true, signature: proof.into(), ..dir },
        })
    }

    /// Returns the number of files.
    pub(super) fn files(&self) -> usize {
        self.table::<FileRecord>(Section::Files).len()
    }

    /// Returns a file.
    pub(crate) fn file(&self, number: usize) -> Option<FileRecord> {
        let file = match at(&self.overlay.files, number) {
            Some(file) => file.clone(),
            None => self.table(Section::Files).get(number)?,
        };
        Some(file.proven(Proof::read(self.file_proof(number)?)))
    }

    /// Returns which step has which file among its inputs, sorted.
    pub(crate) fn users(&self) -> Table<'_, UserRecord> {
        self.table(Section::Users)
    }

    /// Returns the number of steps.
    pub(crate) fn steps(&self) -> usize {
        self.table::<StepPlace>(Section::Places).len()
    }

    fn place_of(&self, step: usize) -> Option<StepPlace> {
        self.table(Section::Places).get(step)
    }

    fn edges(&self, (first, count): (u32, u32)) -> Option<Vec<usize>> {
        let table = self.table::<u32>(Section::Edges);
        let numbers = first as usize..first.checked_add(count)? as usize;
        numbers.map(|number| Some(table.get(number)? as usize)).collect()
    }

    /// Returns the dependencies of a step.
    pub(crate) fn needs(&self, step: usize) -> Option<Vec<usize>> {
        self.edges(self.place_of(step)?.needs)
    }

    /// Returns the dependents of a step.
    pub(crate) fn dependents(&self, step: usize) -> Option<Vec<usize>> {
        self.edges(self.place_of(step)?.dependents)
    }

    /// Returns the number of results with links.
    pub(crate) fn results(&self) -> usize {
        self.table::<ResultRecord>(Section::Results).len()
    }

    /// Returns the number of a step's result; none if it has no link.
    pub(crate) fn result_of(&self, step: usize) -> Option<usize> {
        (self.place_of(step)?.result as usize).checked_sub(1)
    }

    /// Returns a result.
    pub(crate) fn result(&self, number: usize) -> Option<ResultView<'_>> {
        let written: ResultRecord = self.table(Section::Results).get(number)?;
        let link = self.text(written.link)?;
        let proof = match (at(&self.overlay.links, number), &self.proofs) {
            (Some(proof), _) => *proof,
            (None, Some(proofs)) => Proof::read(proofs.link(number)),
            (None, None) => written.proof,
        };
        Some(match at(&self.overlay.results, number) {
            Some(patched) => ResultView {
                link,
                proof,
                target: &patched.target,
                files: ResultFiles::Patched(&patched.files),
            },
            None => ResultView {
                link,
                proof,
                target: self.text(written.target)?,
                files: ResultFiles::Written(self, written.files),
            },
        })
    }

    /// Returns what is known of the build besides its steps.
    pub(crate) fn meta(&self) -> Option<Meta> {
        postcard::from_bytes(self.meta_bytes()).ok()
    }

    pub(super) fn meta_bytes(&self) -> &[u8] {
        self.section(Section::Meta)
    }

    /// Returns the bytes of a step record, checked; read into `buffer` if they are not in memory.
    ///
    /// All records together are larger than everything else, so none is kept in memory after reading.
    pub(super) fn step_bytes<'b>(
        &'b self,
        step: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Option<&'b [u8]> {
        if let Some(record) = at(&self.overlay.steps, step) {
            return record.read(buffer);
        }
        let StepPlace { at, length, checksum, .. } = self.place_of(step)?;
        let start = (self.ends[SECTIONS] as u64).checked_add(at)?;
        (length <= LARGEST_RECORD && start.checked_add(length)? <= self.size).then_some(())?;
        buffer.resize(usize::try_from(length).ok()?, 0);
        self.file.read_exact_at(buffer, start).ok()?;
        (checksum_of(buffer) == checksum).then_some(buffer)
    }

    /// Returns a step record; its bytes are read into `buffer`.
    pub(crate) fn step<'b>(
        &'b self,
        step: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Option<StepRecord<'b>> {
        StepRecord::decode(self.step_bytes(step, buffer)?)
    }
}

/// Access to single fields for a walk, without decoding whole records.
impl Snapshot {
    /// Returns the path of a directory.
    pub(super) fn dir_path(&self, dir: usize) -> Option<&str> {
        self.text(self.table::<DirRecord>(Section::Dirs).text(dir)?)
    }

    /// Returns the name of a file in its directory.
    pub(super) fn file_name(&self, file: usize) -> Option<&[u8]> {
        self.bytes_at(self.table::<FileRecord>(Section::Files).text(file)?)
    }

    /// Returns whether this signature proves that a directory's listing is unchanged.
    pub(super) fn proves_dir(&self, dir: usize, now: &Proof) -> bool {
        self.dir_proof(dir).is_some_and(|proof| proof == now.as_bytes())
    }

    /// Returns whether this signature proves that a file is unchanged.
    pub(super) fn proves_file(&self, file: usize, now: &Proof) -> bool {
        self.file_proof(file).is_some_and(|proof| proof == now.as_bytes())
    }

    /// Returns the recorded content of a file.
    pub(super) fn content(&self, file: usize) -> Option<Content> {
        match at(&self.overlay.files, file) {
            Some(FileRecord { kind, is_source, blob, .. }) => {
                Some(Content { kind: *kind, is_source: *is_source, blob: *blob })
            }
            None => self.table::<FileRecord>(Section::Files).content(file),
        }
    }

    /// Returns the bytes of a directory's proof; [`Proof::NONE`] if it has none.
    pub(super) fn dir_proof(&self, dir: usize) -> Option<&[u8]> {
        match (at(&self.overlay.dir_proofs, dir), &self.proofs) {
            (Some(proof), _) => Some(proof.as_bytes()),
            (None, Some(proofs)) => Some(proofs.dir(dir)),
            (None, None) => self.table::<DirRecord>(Section::Dirs).proof(dir),
        }
    }

    /// Returns the bytes of a file's proof, like [`Snapshot::dir_proof`].
    pub(super) fn file_proof(&self, file: usize) -> Option<&[u8]> {
        match (at(&self.overlay.file_proofs, file), &self.proofs) {
            (Some(proof), _) => Some(proof.as_bytes()),
            (None, Some(proofs)) => Some(proofs.file(file)),
            (None, None) => self.table::<FileRecord>(Section::Files).proof(file),
        }
    }
}

impl<'a> ResultView<'a> {
    /// Returns the number of its files.
    pub(crate) fn len(&self) -> usize {
        match self.files {
            ResultFiles::Written(_, (_, count)) => count as usize,
            ResultFiles::Patched(files) => files.len(),
        }
    }

    /// Returns a file, by its path below the target.
    pub(crate) fn file(&self, number: usize) -> Option<(&'a str, Proof)> {
        match self.files {
            ResultFiles::Written(snapshot, (first, _)) => {
                let number = (first as usize).checked_add(number)?;
                let file: ResultFile = snapshot.table(Section::ResultFiles).get(number)?;
                Some((snapshot.text(file.path)?, file.signature))
            }
            ResultFiles::Patched(files) => {
                files.get(number).map(|(path, signature)| (path.as_str(), (*signature).into()))
            }
        }
    }
}

/// Parses the head of a snapshot of `size` bytes: the request, and where each section ends.
fn head(fixed: &[u8; FIXED], size: usize) -> Option<(Digest, [usize; SECTIONS + 1])> {
    let rest = fixed.strip_prefix(HEAD)?.get(32..)?;
    let (key, mut rest) = rest.split_first_chunk()?;
    let mut ends = [0; SECTIONS + 1];
    let mut last = FIXED;
    for end in &mut ends {
        let (number, tail) = rest.split_first_chunk()?;
        rest = tail;
        *end = usize::try_from(u64::from_le_bytes(*number)).ok()?;
        if *end < last || *end > size {
            return None;
        }
        last = *end;
    }
    Some((Digest::from_bytes(*key), ends))
}

impl Snapshot {
    /// Returns the number of the directory at this path.
    pub(super) fn dir_at(&self, path: &str) -> Option<usize> {
        self.find(self.dirs(), |number| Some(self.dir_path(number)?.cmp(path)))
    }

    /// Returns the number of the first directory whose path is not before `path`.
    pub(super) fn first_dir_from(&self, path: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.dirs());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.dir_path(middle)? < path { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }

    /// Returns the number of the file with this name in a directory.
    pub(super) fn file_in(&self, dir: &DirRecord, name: &str) -> Option<usize> {
        let (first, count) = dir.files;
        let of_dir = |number| first as usize + number;
        let compare = |number| Some(self.file_name(of_dir(number))?.cmp(name.as_bytes()));
        self.find(count as usize, compare).map(of_dir)
    }
}

impl FileMemory for Snapshot {
    fn settled_file(&self, path: &RelPath) -> Option<(Signature, BlobDigest)> {
        let dir = self.dir(self.dir_at(path.parent()?.as_str())?)?;
        let file = self.file(self.file_in(&dir, path.file_name()?)?)?;
        let is_file = matches!(file.kind, FileKind::File { .. });
        (is_file && file.settled).then_some((file.signature, file.blob))
    }
}
