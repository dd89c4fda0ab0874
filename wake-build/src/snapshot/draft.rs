//! Writing a snapshot: a head, sections of fixed-size records, step records.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

use wake_model::Digest;
use wake_store::ConfinedPath;

use super::file::Snapshot;
use super::format::{FIXED, HEAD, SECTIONS, checksum_of, newest_first};
use super::signature::Proof;
use super::spool::Place;
use super::table::{DirRecord, FileRecord, ResultFile, ResultRecord, StepPlace, UserRecord};
use super::{delta, proofs};
use crate::fixed::Fixed;

/// The contents of a snapshot, added one after the other.
#[derive(Default)]
pub(super) struct Draft {
    strings: Vec<u8>,
    dirs: Vec<u8>,
    files: Vec<u8>,
    users: Vec<u8>,
    results: Vec<u8>,
    result_files: Vec<u8>,
    steps: Vec<DraftStep>,
    meta: Vec<u8>,
}

struct DraftStep {
    place: Place,
    needs: Vec<usize>,
    result: u32,
}

/// The step records of a draft, consecutive.
pub(super) enum Body<'a> {
    /// In a file.
    Spooled(&'a File),
    /// Copied from a snapshot.
    Of(&'a Snapshot),
}

impl Draft {
    /// Creates an empty draft; `meta` is the information besides steps.
    pub(super) fn new(meta: Vec<u8>) -> Draft {
        Draft { meta, ..Draft::default() }
    }

    /// Copies `snapshot` with all its patches, except for step records; none if something is damaged.
    pub(super) fn of(snapshot: &Snapshot) -> Option<Draft> {
        let (mut buffer, mut at) = (Vec::new(), 0);
        let mut draft = Draft::new(snapshot.meta_bytes().to_vec());
        draft.expect(snapshot.dirs(), snapshot.files());
        for number in 0..snapshot.dirs() {
            let dir = snapshot.dir(number)?;
            let first = dir.files.0 as usize;
            for file in first..first.checked_add(dir.files.1 as usize)? {
                let file = snapshot.file(file)?;
                draft.put_file(snapshot.text(file.name)?, file)?;
            }
            draft.put_dir(snapshot.text(dir.path)?, dir)?;
        }
        let users = snapshot.users();
        (0..users.len()).filter_map(|number| users.get(number)).for_each(|u| draft.put_user(u));
        for step in 0..snapshot.steps() {
            let result = snapshot.result_of(step).and_then(|number| snapshot.result(number));
            let bytes = snapshot.step_bytes(step, &mut buffer)?;
            let place = Place { at, length: bytes.len() as u64, checksum: checksum_of(bytes) };
            draft.put_step(place, snapshot.needs(step)?);
            at += place.length;
            if let Some(result) = result {
                let files = (0..result.len()).map(|number| result.file(number));
                draft.put_result(result.link, result.target, result.proof, files)?;
            }
        }
        Some(draft)
    }

    fn text(&mut self, text: &str) -> Option<(u32, u32)> {
        let start = u32::try_from(self.strings.len()).ok()?;
        self.strings.extend_from_slice(text.as_bytes());
        Some((start, u32::try_from(text.len()).ok()?))
    }

    /// Returns the number of files added.
    pub(super) fn file_count(&self) -> Option<u32> {
        u32::try_from(self.files.len() / FileRecord::SIZE).ok()
    }

    /// Reserves room for directories and files.
    pub(super) fn expect(&mut self, dirs: usize, files: usize) {
        self.dirs.reserve_exact(dirs * DirRecord::SIZE);
        self.files.reserve_exact(files * FileRecord::SIZE);
    }

    /// Adds a file called `name` in the directory that is added next.
    pub(super) fn put_file(&mut self, name: &str, record: FileRecord) -> Option<()> {
        let name = self.text(name)?;
        FileRecord { name, ..record }.put(&mut self.files);
        Some(())
    }

    /// Adds the directory at `path`; its files are those added since the last directory.
    pub(super) fn put_dir(&mut self, path: &str, record: DirRecord) -> Option<()> {
        let path = self.text(path)?;
        let count = record.files.1;
        let files = (self.file_count()?.checked_sub(count)?, count);
        DirRecord { path, files, ..record }.put(&mut self.dirs);
        Some(())
    }

    /// Adds a user of a file; must be called in sorted order.
    pub(super) fn put_user(&mut self, user: UserRecord) {
        user.put(&mut self.users);
    }

    /// Adds the next step; its record is at `place` of the body.
    pub(super) fn put_step(&mut self, place: Place, needs: Vec<usize>) {
        self.steps.push(DraftStep { place, needs, result: 0 });
    }

    /// Adds the result of the last step added.
    pub(super) fn put_result<'f>(
        &mut self,
        link: &str,
        target: &str,
        proof: Proof,
        files: impl Iterator<Item = Option<(&'f str, Proof)>>,
    ) -> Option<()> {
        let first = u32::try_from(self.result_files.len() / ResultFile::SIZE).ok()?;
        let mut count = 0;
        for file in files {
            let (path, signature) = file?;
            let path = self.text(path)?;
            ResultFile { path, signature }.put(&mut self.result_files);
            count += 1;
        }
        let (link, target) = (self.text(link)?, self.text(target)?);
        ResultRecord { link, target, files: (first, count), proof }.put(&mut self.results);
        self.steps.last_mut()?.result =
            u32::try_from(self.results.len() / ResultRecord::SIZE).ok()?;
        Some(())
    }

    /// Writes the snapshot to `place`, and deletes frames beside it and the oldest other snapshots.
    pub(super) fn write(
        &self,
        place: &ConfinedPath,
        key: &Digest,
        body: &Body,
    ) -> std::io::Result<()> {
        let too_many = || std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        let (places, edges) = self.connections().ok_or_else(too_many)?;
        let sections = self.sections(&places, &edges);
        let head = head(&sections, key);
        place.replace(|file| {
            let mut out = BufWriter::with_capacity(256 << 10, &mut *file);
            out.write_all(&head)?;
            sections.iter().try_for_each(|section| out.write_all(section))?;
            if let Body::Of(snapshot) = body {
                let mut buffer = Vec::new();
                for step in 0..snapshot.steps() {
                    let bytes = snapshot.step_bytes(step, &mut buffer);
                    out.write_all(bytes.ok_or(io::ErrorKind::InvalidData)?)?;
                }
            }
            out.flush()?;
            drop(out);
            if let Body::Spooled(spool) = body {
                let mut spool: &File = spool;
                spool.rewind()?;
                io::copy(&mut spool, file)?;
            }
            Ok(())
        })?;
        forget_beside(place);
        forget_oldest(place);
        Ok(())
    }

    fn sections<'s>(&'s self, places: &'s [u8], edges: &'s [u8]) -> [&'s [u8]; SECTIONS] {
        let Draft { strings, dirs, files, users, results, result_files, meta, .. } = self;
        [strings, dirs, files, users, places, edges, results, result_files, meta]
    }

    /// Returns the places of the step records, and the edges between steps.
    fn connections(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); self.steps.len()];
        for (number, step) in self.steps.iter().enumerate() {
            for &need in &step.needs {
                dependents.get_mut(need)?.push(number);
            }
        }
        let (mut places, mut edges) = (Vec::new(), Vec::new());
        for (step, dependents) in self.steps.iter().zip(&dependents) {
            let Place { at, length, checksum } = step.place;
            let place = StepPlace {
                at,
                length,
                checksum,
                needs: put_edges(&step.needs, &mut edges)?,
                dependents: put_edges(dependents, &mut edges)?,
                result: step.result,
            };
            place.put(&mut places);
        }
        Some((places, edges))
    }
}

/// Returns everything before the sections, with their checksum.
fn head(sections: &[&[u8]; SECTIONS], key: &Digest) -> Vec<u8> {
    let mut covered = key.as_bytes().to_vec();
    let mut end = FIXED as u64;
    for section in sections {
        end += section.len() as u64;
        covered.extend_from_slice(&end.to_le_bytes());
    }
    covered.extend_from_slice(&end.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&covered);
    sections.iter().for_each(|section| _ = hasher.update(section));
    [HEAD, hasher.finalize().as_bytes().as_slice(), &covered].concat()
}

fn put_edges(steps: &[usize], edges: &mut Vec<u8>) -> Option<(u32, u32)> {
    let first = u32::try_from(edges.len() / u32::SIZE).ok()?;
    for &step in steps {
        u32::try_from(step).ok()?.put(edges);
    }
    Some((first, u32::try_from(steps.len()).ok()?))
}

/// Deletes the oldest snapshots: their requests are probably no longer made.
fn forget_oldest(newest: &ConfinedPath) {
    const KEPT: usize = 8;
    let Some(dir) = newest.parent() else { return };
    for path in newest_first(&dir).iter().skip(KEPT) {
        // Another process may have deleted it first.
        let _ = path.remove_file();
        forget_beside(path);
    }
}

/// Deletes the files beside a snapshot, which do not fit another one in its place.
pub(super) fn forget_beside(snapshot: &ConfinedPath) {
    let _ = proofs::place(snapshot).remove_file();
    let _ = delta::place(snapshot).remove_file();
}
