//! Taking a snapshot of a build that succeeded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, statat};
use wake_eval::Read;
use wake_model::{BlobDigest, Digest, RelPath};

use super::file::{Meta, Sections, Snapshot};
use super::step_record::{InputRecord, StepRecord};
use super::table::{DirRecord, FileKind, FileRecord, Record, ResultFile, ResultRecord, UserRecord};
use super::verify::{listing, subdirectories};
use crate::files::{Files, Looked, Seen, Signature, link_inside};
use crate::session::Planned;

/// What a snapshot is taken of.
pub(crate) struct Capture<'a> {
    pub(crate) files: &'a Files,
    pub(crate) planned: &'a Planned,
    /// The record of each step, by number.
    pub(crate) steps: Vec<Vec<u8>>,
    /// Where the trees of the results lie, by step.
    pub(crate) trees: HashMap<usize, std::path::PathBuf>,
    pub(crate) meta: Meta,
    /// What the file systems' clock said when the build began.
    pub(crate) began: i128,
}

/// Writes a snapshot. None is written if something was not, when it was looked at last, what a
/// function saw: then someone edited during the build.
pub(crate) fn capture(capture: &Capture, state_dir: &Path, key: &Digest) -> Option<()> {
    let sources = sources(capture)?;
    let mut strings = Strings::default();
    let mut sections =
        Sections { meta: postcard::to_stdvec(&capture.meta).ok()?, ..Sections::default() };
    let index = put_checkout(capture, &sources, &mut strings, &mut sections)?;
    let records: Vec<StepRecord> =
        capture.steps.iter().map(|bytes| StepRecord::decode(bytes)).collect::<Option<_>>()?;
    put_users(&records, &index, &mut sections)?;
    for (step, record) in records.iter().enumerate() {
        if let (Some(link), Some(tree)) = (&record.link, capture.trees.get(&step)) {
            put_result(link, tree, record, &mut strings, &mut sections)?;
        }
    }
    sections.strings = strings.bytes;
    Snapshot::write(state_dir, key, &sections, &capture.steps).ok()
}

#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
}

impl Strings {
    fn add(&mut self, text: &str) -> Option<(u32, u32)> {
        let start = u32::try_from(self.bytes.len()).ok()?;
        self.bytes.extend_from_slice(text.as_bytes());
        Some((start, u32::try_from(text.len()).ok()?))
    }
}

/// What functions read: paths and listings of the whole workspace.
#[derive(Default)]
struct Sources {
    files: BTreeSet<RelPath>,
    lists: BTreeMap<RelPath, BlobDigest>,
}

fn sources(capture: &Capture) -> Option<Sources> {
    let mut sources = Sources::default();
    let Planned { instances, plan, .. } = capture.planned;
    for instance in instances.values() {
        add_reads(capture, &instance.dir, &instance.reads, &mut sources)?;
    }
    for step in plan.graph.node_weights() {
        let dir = &instances.get(&step.pkg)?.dir;
        add_reads(capture, dir, &step.reads, &mut sources)?;
    }
    Some(sources)
}

fn add_reads(
    capture: &Capture,
    dir: &RelPath,
    reads: &[Read],
    sources: &mut Sources,
) -> Option<()> {
    for read in reads {
        match read {
            Read::File { path, digest } => {
                let found = add_file(capture, dir, path, sources)?;
                (found == *digest).then_some(())?;
            }
            Read::List { path, digest } => {
                sources.lists.insert(dir.join(path), (*digest)?);
            }
            // What these hold follows from files that are looked at anyway.
            Read::Pkg { .. } | Read::Module { .. } => {}
        }
    }
    Some(())
}

/// Notes a file and, where it is a link, what it leads to; gives the digest of what a reader sees.
fn add_file(
    capture: &Capture,
    dir: &RelPath,
    path: &RelPath,
    sources: &mut Sources,
) -> Option<Option<BlobDigest>> {
    let at = dir.join(path);
    let seen = capture.files.look(&at).ok()?;
    sources.files.insert(at);
    match seen {
        Seen::File { blob, .. } => Some(Some(blob)),
        Seen::Absent => Some(None),
        Seen::Link(target) => add_file(capture, dir, &link_inside(path, &target)?, sources),
        Seen::Dir | Seen::Other => None,
    }
}

/// Puts directories and files; gives the number of each file by its path.
fn put_checkout(
    capture: &Capture,
    sources: &Sources,
    strings: &mut Strings,
    sections: &mut Sections,
) -> Option<HashMap<RelPath, u32>> {
    let mut by_dir: BTreeMap<RelPath, Vec<Looked>> = BTreeMap::new();
    for known in capture.files.known() {
        if let Some(dir) = known.path.parent() {
            by_dir.entry(dir).or_default().push(known);
        }
    }
    for dir in sources.lists.keys().chain(&capture.planned.walked) {
        by_dir.entry(dir.clone()).or_default();
    }
    let walked: BTreeSet<&RelPath> = capture.planned.walked.iter().collect();
    let pkgs: BTreeSet<&RelPath> = capture.planned.instances.values().map(|pkg| &pkg.dir).collect();
    let mut index = HashMap::new();
    for (dir, files) in &by_dir {
        let start = u32::try_from(index.len()).ok()?;
        for Looked { path, seen, signature, settled } in files {
            let number = u32::try_from(index.len()).ok()?;
            index.insert(path.clone(), number);
            let name = strings.add(path.file_name()?)?;
            file_record(name, seen, *signature, *settled, sources.files.contains(path))
                .put(&mut sections.files);
        }
        let absolute = capture.files.absolute(dir);
        let record = dir_record(capture, dir, &absolute, sources, walked.contains(dir))?;
        let count = u32::try_from(index.len()).ok()? - start;
        let path = strings.add(dir.as_str())?;
        let border = !pkgs.contains(dir);
        DirRecord { path, files: (start, count), border, ..record }.put(&mut sections.dirs);
    }
    Some(index)
}

fn file_record(
    name: (u32, u32),
    seen: &Seen,
    signature: Option<Signature>,
    settled: bool,
    is_source: bool,
) -> FileRecord {
    let none = BlobDigest(Digest::from_bytes([0; 32]));
    let (kind, blob) = match seen {
        Seen::Absent => (FileKind::Absent, none),
        Seen::File { blob, executable, .. } => (FileKind::File { executable: *executable }, *blob),
        Seen::Link(text) => (FileKind::Other, BlobDigest::of(text.as_bytes())),
        Seen::Dir | Seen::Other => (FileKind::Other, none),
    };
    let signature = signature.unwrap_or_default();
    FileRecord { name, kind, is_source, settled, signature, blob }
}

/// What is known of a directory. Its signature counts only if nothing has changed in it since the
/// build began: else a change in between could have been missed.
fn dir_record(
    capture: &Capture,
    dir: &RelPath,
    absolute: &Path,
    sources: &Sources,
    walked: bool,
) -> Option<DirRecord> {
    let stat = statat(CWD, absolute, AtFlags::SYMLINK_NOFOLLOW).map(|stat| Signature::of(&stat));
    let signature = stat.unwrap_or_default();
    let list = sources.lists.get(dir).copied();
    if let Some(expected) = list {
        (listing(absolute)? == expected).then_some(())?;
    }
    let walk = if walked { Some(subdirectories(absolute)?) } else { None };
    let settled = stat.is_ok() && signature.is_settled(capture.began);
    Some(DirRecord { path: (0, 0), files: (0, 0), signature, settled, list, walk, border: false })
}

fn put_users(
    records: &[StepRecord],
    index: &HashMap<RelPath, u32>,
    sections: &mut Sections,
) -> Option<()> {
    let mut users = BTreeSet::new();
    for (number, record) in records.iter().enumerate() {
        let step = u32::try_from(number).ok()?;
        for path in record.result.root.files() {
            users.insert(UserRecord { file: *index.get(path)?, step });
        }
        for (_, input) in &record.result.inputs {
            match input {
                InputRecord::Checkout { path, .. } => {
                    users.insert(UserRecord { file: *index.get(path)?, step });
                }
                InputRecord::PkgTree { files, .. } => {
                    for path in files {
                        users.insert(UserRecord { file: *index.get(path)?, step });
                    }
                }
                _ => {}
            }
        }
    }
    for user in users {
        user.put(&mut sections.users);
    }
    Some(())
}

fn put_result(
    link: &str,
    tree: &Path,
    record: &StepRecord,
    strings: &mut Strings,
    sections: &mut Sections,
) -> Option<()> {
    let start = u32::try_from(sections.result_files.len() / ResultFile::SIZE).ok()?;
    let mut count = 0;
    for (path, _) in record.result.manifest.iter() {
        let stat = statat(CWD, tree.join(path.as_str()), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let path = strings.add(path.as_str())?;
        ResultFile { path, signature: Signature::of(&stat) }.put(&mut sections.result_files);
        count += 1;
    }
    let record = ResultRecord {
        link: strings.add(link)?,
        target: strings.add(tree.to_str()?)?,
        files: (start, count),
    };
    record.put(&mut sections.results);
    Some(())
}

/// The result records of `snapshot` where some steps have changed: of each result in its order, where its tree
/// lies now and its record, or nothing where it is what it was.
pub(super) fn put_results(
    snapshot: &Snapshot,
    results: &[Option<(std::path::PathBuf, &StepRecord)>],
    sections: &mut Sections,
) -> Option<()> {
    let mut strings = Strings { bytes: std::mem::take(&mut sections.strings) };
    sections.results.clear();
    sections.result_files.clear();
    for (number, changed) in results.iter().enumerate() {
        match changed {
            Some((tree, record)) => {
                put_result(record.link.as_deref()?, tree, record, &mut strings, sections)?;
            }
            None => copy_result(snapshot, number, sections)?,
        }
    }
    sections.strings = strings.bytes;
    Some(())
}

/// Takes over a result; its texts are where they were.
fn copy_result(snapshot: &Snapshot, number: usize, sections: &mut Sections) -> Option<()> {
    let old = snapshot.results().get(number)?;
    let start = u32::try_from(sections.result_files.len() / ResultFile::SIZE).ok()?;
    let (from, count) = old.files;
    for file in from..from.checked_add(count)? {
        snapshot.result_files().get(file as usize)?.put(&mut sections.result_files);
    }
    ResultRecord { files: (start, count), ..old }.put(&mut sections.results);
    Some(())
}
