//! Taking a snapshot of a build that succeeded.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, Mode, fstat, openat, statat};
use wake_eval::Read;
use wake_model::{BlobDigest, Digest, LOCK_FILE, Manifest, RelPath};
use wake_steps::step::TreeOrigin;
use wake_store::ConfinedPath;

use super::delta::PatchedResult;
use super::draft::{Body, Draft};
use super::file::Meta;
use super::listing::{Listing, open_dir};
use super::results::read_link;
use super::signature::{Proof, result_signature};
use super::spool::Records;
use super::step_record::{InputRecord, OwnRecord, RootRecord, StepRecord, StepResult};
use super::table::{DirRecord, FileKind, FileRecord, NO_DIGEST, UserRecord};
use crate::evaluate::LINKS;
use crate::files::{FileInfo, FileState, Files, Signature, link_inside};
use crate::instance::PkgInstance;
use crate::plan::PlannedBuild;
use crate::sources::DIR_PATH;

/// What goes into a snapshot.
pub(crate) struct Capture<'a> {
    pub(crate) files: &'a Files<'a>,
    pub(crate) planned: &'a PlannedBuild,
    /// The digest of `wake.lock`, if it was read.
    pub(crate) lock: Option<BlobDigest>,
    /// The record of each step.
    pub(crate) steps: Records,
    /// The paths of the results' trees, by step.
    pub(crate) trees: HashMap<usize, PathBuf>,
    /// The directory of the result links.
    pub(crate) out: ConfinedPath,
    pub(crate) meta: Meta,
    /// The file systems' clock when the build began.
    pub(crate) began: i128,
}

/// Writes a snapshot to `place`, on the threads of the current pool. None is written if a file that a function read
/// has changed since: then someone edited it during the build.
pub(crate) fn capture(capture: &Capture, place: &ConfinedPath, key: &Digest) -> Option<()> {
    capture.files.look_at_rest().ok()?;
    let (sources, meta) = (sources(capture)?, postcard::to_stdvec(&capture.meta).ok()?);
    capture.files.with_known(|known| {
        let mut draft = Draft::new(meta);
        let dirs = by_dir(capture, known, &sources);
        let (put, notes) = rayon::join(
            || put_checkout(capture, &dirs, &sources, &mut draft),
            || steps(capture, &numbered(&dirs)?),
        );
        put?;
        drop(dirs);
        put_steps(&capture.steps, notes?, &mut draft)?;
        draft.write(place, key, &Body::Spooled(capture.steps.file())).ok()
    })
}

fn put_steps(records: &Records, steps: Vec<StepNote>, draft: &mut Draft) -> Option<()> {
    let mut users = Vec::new();
    for (number, (place, step)) in records.places().iter().zip(steps).enumerate() {
        draft.put_step(*place, step.needs);
        if let Some((link, PatchedResult { target, files })) = &step.result {
            let files =
                files.iter().map(|(path, signature)| Some((path.as_str(), (*signature).into())));
            draft.put_result(link, target, step.proof, files)?;
        }
        let number = u32::try_from(number).ok()?;
        users.extend(step.files.iter().map(|&file| UserRecord { file, step: number }));
    }
    users.sort_unstable();
    users.dedup();
    users.into_iter().for_each(|user| draft.put_user(user));
    Some(())
}

/// What a snapshot stores of a step besides its record.
struct StepNote {
    needs: Vec<usize>,
    /// The numbers of its input files in the checkout.
    files: Vec<u32>,
    /// Its link, and the link's target.
    result: Option<(String, PatchedResult)>,
    /// The signature of the link, if it proves that the link is unchanged.
    proof: Proof,
}

fn steps(capture: &Capture, index: &HashMap<&str, u32>) -> Option<Vec<StepNote>> {
    let out = capture.out.open_dir().ok();
    let note = |(buffer, many): &mut (Vec<u8>, ManyNumbers), number: usize| {
        let StepRecord { link, needs, result, .. } = capture.steps.read(number, buffer)?;
        let made = match (link, capture.trees.get(&number)) {
            (Some(link), Some(tree)) => Some((link.to_owned(), result_at(tree, &result.manifest)?)),
            _ => None,
        };
        let read = |(link, result): &(String, PatchedResult)| {
            read_link(out.as_ref()?, link, &result.target)
        };
        let proof = made.as_ref().and_then(read).unwrap_or(Proof::NONE);
        let files = numbers(&result, index, many)?;
        let needs = needs.iter().map(|need| need.0).collect();
        Some(StepNote { needs, files, result: made, proof })
    };
    let count = capture.steps.places().len();
    (0..count).into_par_iter().with_min_len(16).map_init(Default::default, note).collect()
}

/// The numbers of a large set of files, which the next step usually has as well.
#[derive(Default)]
struct ManyNumbers {
    /// The set in its written form.
    written: Vec<u8>,
    numbers: Vec<u32>,
}

/// Returns the numbers of a step's input files in the checkout.
fn numbers(
    result: &StepResult,
    index: &HashMap<&str, u32>,
    many: &mut ManyNumbers,
) -> Option<Vec<u32>> {
    let OwnRecord(written) = result.own;
    if many.written != written {
        let mut numbers = Vec::new();
        for (_, input) in result.own.inputs()? {
            // Content of the store does not change.
            if let InputRecord::Checkout { path, .. } = input {
                numbers.push(*index.get(path.whole()?)?);
            }
        }
        *many = ManyNumbers { written: written.to_vec(), numbers };
    }
    let mut numbers = many.numbers.clone();
    let mut add = |path: &str| index.get(path).map(|number| numbers.push(*number));
    if let RootRecord::Tree { origin, .. } | RootRecord::Ware { origin, .. } = &result.root
        && let TreeOrigin::Files { files, .. } = &**origin
    {
        files.iter().try_for_each(|path| add(path.as_str()))?;
    }
    for (_, input) in &result.inputs {
        match input {
            InputRecord::Checkout { path, .. } => add(path.whole()?)?,
            InputRecord::Tree { origin, .. } => {
                if let TreeOrigin::Files { files, .. } = &**origin {
                    files.iter().try_for_each(|path| add(path.as_str()))?;
                }
            }
            _ => {}
        }
    }
    Some(numbers)
}

/// Returns the result at `tree`, with the signatures of its files and their directories.
pub(super) fn result_at(tree: &Path, manifest: &Manifest) -> Option<PatchedResult> {
    let signature = |path: &RelPath| {
        let stat = statat(CWD, tree.join(path.as_str()), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some((path.as_str().to_owned(), result_signature(&stat)))
    };
    let mut paths = BTreeSet::from([RelPath::root()]);
    for (path, _) in manifest.iter() {
        let mut at = Some(path.clone());
        while let Some(path) = at.filter(|path| !paths.contains(path)) {
            at = path.parent();
            paths.insert(path);
        }
    }
    let files = paths.iter().map(signature).collect::<Option<_>>()?;
    Some(PatchedResult { target: tree.to_str()?.to_owned(), files })
}

/// What functions read: paths and listings, in the whole workspace.
#[derive(Default)]
struct Sources {
    files: HashSet<RelPath>,
    lists: BTreeMap<RelPath, BlobDigest>,
}

fn sources(capture: &Capture) -> Option<Sources> {
    let PlannedBuild { instances, plan, root_reads, .. } = capture.planned;
    let of_pkgs = instances.values().map(|pkg| (&**pkg, &pkg.reads));
    let of_steps = plan.graph.node_weights();
    let of_steps = of_steps.filter_map(|step| Some((&**instances.get(&step.pkg)?, &step.reads)));
    let left_out = plan.left_out.iter();
    let left_out = left_out.filter_map(|out| Some((&**instances.get(&out.pkg)?, &out.reads)));
    let unwanted = plan.unwanted.iter();
    let unwanted = unwanted.filter_map(|out| Some((&**instances.get(&out.pkg)?, &out.reads)));
    let reads: Vec<(&PkgInstance, &Vec<Read>)> =
        of_pkgs.chain(of_steps).chain(left_out).chain(unwanted).collect();
    let parts: Option<Vec<Sources>> = reads
        .par_iter()
        .with_min_len(64)
        .try_fold(Sources::default, |mut sources, (pkg, reads)| {
            add_reads(capture, pkg, reads, &mut sources).map(|()| sources)
        })
        .collect();
    let mut all = Sources::default();
    if let Some(lock) = capture.lock {
        let path = RelPath::parse(LOCK_FILE).ok()?;
        (add_file(capture, &RelPath::root(), &path, LINKS, &mut all)? == Some(lock))
            .then_some(())?;
    }
    for read in root_reads {
        match read {
            Read::File { path, digest } => {
                let found = add_file(capture, &RelPath::root(), path, LINKS, &mut all)?;
                (found == *digest).then_some(())?;
            }
            Read::List { path, digest } => {
                all.lists.insert(path.clone(), (*digest)?);
            }
            // A package file is evaluated before there are other packages to read.
            Read::Import { .. }
            | Read::Named { .. }
            | Read::Option { .. }
            | Read::Pkg { .. }
            | Read::Module { .. } => {}
        }
    }
    for part in parts? {
        all.files.extend(part.files);
        all.lists.extend(part.lists);
    }
    Some(all)
}

fn add_reads(
    capture: &Capture,
    pkg: &PkgInstance,
    reads: &[Read],
    sources: &mut Sources,
) -> Option<()> {
    let ways = pkg.ways(&capture.planned.instances);
    for read in reads {
        // Content of the store does not change.
        let (place, path, digest) = match read {
            Read::File { path, digest } => (&pkg.place, path, digest),
            Read::List { path, digest } => {
                if let Some(dir) = pkg.place.dir() {
                    sources.lists.insert(dir.join(path), (*digest)?);
                }
                continue;
            }
            Read::Import { way, digest } => match ways.end(way) {
                Some(place) => (place, &way.path, digest),
                // If a package does not offer a file, that follows from its declaration.
                None => continue,
            },
            // These follow from files that are checked anyway.
            Read::Named { .. } | Read::Option { .. } | Read::Pkg { .. } | Read::Module { .. } => {
                continue;
            }
        };
        if let Some(dir) = place.dir() {
            let found = add_file(capture, dir, path, LINKS, sources)?;
            (found == *digest).then_some(())?;
        }
    }
    Some(())
}

/// Adds a file and, for a link, its target; returns the digest of what a reader sees.
fn add_file(
    capture: &Capture,
    dir: &RelPath,
    path: &RelPath,
    links: usize,
    sources: &mut Sources,
) -> Option<Option<BlobDigest>> {
    let at = dir.join(path);
    let seen = capture.files.look(&at).ok()?;
    sources.files.insert(at);
    match seen {
        FileState::File { blob, .. } => Some(Some(blob)),
        FileState::Absent => Some(None),
        FileState::Link(target) => {
            let links = links.checked_sub(1)?;
            add_file(capture, dir, &link_inside(path, &target)?, links, sources)
        }
        FileState::Dir | FileState::Other => None,
    }
}

/// A directory, and what is known in it, by name.
type Dir<'d, 'k> = (&'d str, Vec<(&'k RelPath, &'k FileInfo)>);

/// Returns the directories that were searched, sorted: files are numbered in this order.
fn by_dir<'d, 'k: 'd>(
    capture: &Capture<'d>,
    known: &[(&'k RelPath, &'k FileInfo)],
    sources: &'d Sources,
) -> Vec<Dir<'d, 'k>> {
    let dir_of = |path: &'k RelPath| path.dir_and_name().map(|(dir, _)| dir);
    let mut dirs: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for files in known.chunk_by(|(one, _), (next, _)| dir_of(one) == dir_of(next)) {
        if let Some(dir) = dir_of(files[0].0) {
            dirs.entry(dir).or_default().extend_from_slice(files);
        }
    }
    for dir in sources.lists.keys().chain(&capture.planned.walked) {
        dirs.entry(dir.as_str()).or_default();
    }
    dirs.into_iter().collect()
}

/// Returns the number of each file, by path.
fn numbered<'k>(dirs: &[Dir<'_, 'k>]) -> Option<HashMap<&'k str, u32>> {
    let files = || dirs.iter().flat_map(|(_, files)| files);
    let mut index = HashMap::with_capacity(files().count());
    for (number, (path, _)) in files().enumerate() {
        index.insert(path.as_str(), u32::try_from(number).ok()?);
    }
    Some(index)
}

/// Writes directories and files.
fn put_checkout(
    capture: &Capture,
    dirs: &[Dir],
    sources: &Sources,
    draft: &mut Draft,
) -> Option<()> {
    let walked: HashSet<&str> = capture.planned.walked.iter().map(RelPath::as_str).collect();
    let pkgs: HashSet<&str> = capture
        .planned
        .instances
        .values()
        .filter_map(|pkg| pkg.place.dir())
        .map(RelPath::as_str)
        .collect();
    draft.expect(dirs.len(), dirs.iter().map(|(_, files)| files.len()).sum());
    // Paths are opened relative to an open directory, because there are many.
    let root = capture.files.absolute(&RelPath::root());
    let root = openat(CWD, &root, DIR_PATH, Mode::empty()).ok()?;
    let records: Option<Vec<DirRecord>> = dirs
        .par_iter()
        .with_min_len(16)
        .map(|(dir, files)| {
            let (list, is_walked) = (sources.lists.get(*dir).copied(), walked.contains(dir));
            let record = dir_record(capture.began, &root, dir, list, is_walked)?;
            let count = u32::try_from(files.len()).ok()?;
            Some(DirRecord { files: (0, count), border: !pkgs.contains(dir), ..record })
        })
        .collect();
    for ((dir, files), record) in dirs.iter().zip(records?) {
        for &(path, looked) in files {
            let is_source = sources.files.contains(path);
            draft.put_file(name_in(dir, path), file_record(looked, is_source))?;
        }
        draft.put_dir(dir, record)?;
    }
    Some(())
}

fn file_record(known: &FileInfo, is_source: bool) -> FileRecord {
    let (kind, blob) = match known.seen() {
        FileState::Absent => (FileKind::Absent, NO_DIGEST),
        FileState::File { blob, executable, .. } => (FileKind::File { executable }, blob),
        FileState::Link(text) => (FileKind::Other, BlobDigest::of(text.as_bytes())),
        FileState::Dir | FileState::Other => (FileKind::Other, NO_DIGEST),
    };
    let signature = known.signature().unwrap_or_default();
    FileRecord { name: (0, 0), kind, is_source, settled: known.settled(), signature, blob }
}

/// Returns the record of the directory `dir` below `root`. `list` is the digest of the listing that functions saw, if any; a walked
/// directory was searched for packages. Its signature counts only if nothing in it has changed since the
/// build `began`: otherwise a change could have been missed.
fn dir_record(
    began: i128,
    root: &OwnedFd,
    dir: &str,
    list: Option<BlobDigest>,
    is_walked: bool,
) -> Option<DirRecord> {
    let mut walk = None;
    let is_listed = list.is_some() || is_walked;
    let opened = open_dir(root, dir, is_listed);
    let signature = opened.as_ref().and_then(|dir| fstat(dir).ok().map(|s| Signature::of(&s)));
    if is_listed {
        let listing = Listing::read(opened.as_ref()?)?;
        (list.is_none() || listing.digest() == list).then_some(())?;
        if is_walked {
            walk = Some(listing.subdirectories()?);
        }
    }
    Some(DirRecord {
        path: (0, 0),
        files: (0, 0),
        settled: signature.is_some_and(|signature| signature.is_settled(began)),
        signature: signature.unwrap_or_default(),
        list,
        walk,
        border: false,
    })
}

/// Returns the name of `path`, which is directly in the directory `dir`.
fn name_in<'p>(dir: &str, path: &'p RelPath) -> &'p str {
    let start = if dir.is_empty() { 0 } else { dir.len() + 1 };
    path.as_str().get(start..).unwrap_or_default()
}
