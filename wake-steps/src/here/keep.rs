//! Sources that are large, or many: taken into the store once, and shown to commands from there.
//!
//! Where they lie somebody may be changing them, and all that is known of their bytes is what they were. What is mounted is
//! what was hashed while it was copied.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use wake_exec::{Layer, SandboxError, Seal, Source};
use wake_model::{Manifest, Node, RelPath, SandboxLevel, TreeDigest, place};
use wake_store::ware::Meter;
use wake_store::{BuildTreeError, Lookup, Store};

use crate::error::StepError;
use crate::pin::PinnedAction;
use crate::step::{Input, OwnFiles, SourceFile, SourceFiles};

/// So many small files are in one layer, about; a power of two.
const RUN: usize = 256;
/// There are so many layers of them, about: the kernel has 500 at most.
const MOST_RUNS: usize = 64;

/// A step that has more large files of its own gets all of them as one layer.
const LAYERS: usize = 24;

/// What of sources this process knows to be in the store.
#[derive(Default)]
pub(super) struct KeptSources {
    /// By the digest of their paths and contents.
    layers: Mutex<HashMap<blake3::Hash, Slot<Layer>>>,
    /// The layers of files that are many, by the digest of the directory that they are.
    many: Mutex<HashMap<TreeDigest, Slot<Arc<[Layer]>>>>,
}

/// What is made once; whoever wants it meanwhile waits.
type Slot<T> = Arc<Mutex<Option<T>>>;

/// What a job takes from the store of the sources of an action.
#[derive(Default)]
pub(super) struct KeptFiles {
    /// Single files, by the numbers of inputs that are not among the files that are many.
    pub(super) single: HashMap<usize, Source>,
    /// Which inputs show through from layers; none are said where none do.
    pub(super) shown: Vec<bool>,
    /// These.
    pub(super) layers: Vec<Layer>,
    /// Whether the files that are many show through from layers.
    pub(super) many_shown: bool,
}

/// A file that shows through the work directory, and where it lies there.
type Own<'a> = (&'a RelPath, &'a SourceFile);

/// A layer for each file, or where these would be many one for all.
fn one_or_each<'f, 'a>(files: &'f [Own<'a>]) -> impl Iterator<Item = &'f [Own<'a>]> {
    files.chunks(if files.len() > LAYERS { files.len() } else { 1 })
}

/// Parts files, sorted by path, into layers. Where one ends hangs on a path alone, so that of two steps with almost the same
/// files most layers are the same, and an edited file makes one of them anew.
fn runs<'f, 'a>(files: &'f [Own<'a>]) -> impl Iterator<Item = &'f [Own<'a>]> {
    let mean = RUN.max((files.len() / MOST_RUNS).next_power_of_two());
    files.split_inclusive(move |(path, _)| digest_of(path).is_multiple_of(mean))
}

/// Some number that hangs on `path`; another one may come of it in another build of wake.
fn digest_of(path: &RelPath) -> usize {
    let mut hasher = DefaultHasher::new();
    path.as_str().hash(&mut hasher);
    hasher.finish() as usize
}

impl KeptSources {
    /// Has those among the sources of `pinned` in `store` that are not copied for each command.
    pub(super) fn keep(
        &self,
        pinned: &PinnedAction,
        store: &Store,
        sources: &dyn SourceFiles,
        meter: &Meter,
    ) -> Result<KeptFiles, StepError> {
        let mut kept = KeptFiles::default();
        // There are no mounts in the weak sandbox.
        if pinned.action.work.is_root() || pinned.action.sandbox == SandboxLevel::Weak {
            return Ok(kept);
        }
        if let Some(own) = pinned.inputs.own_files() {
            kept.layers.extend_from_slice(&self.take_many(own, store, sources, meter)?);
            kept.many_shown = true;
        }
        let mut large = Vec::new();
        for (number, (path, input)) in pinned.inputs.single().enumerate() {
            match input {
                Input::File(file) if file.is_large() && place::is_foreign(path) => {
                    let Layer { tree, .. } =
                        self.take(&[(&file.below, file)], store, sources, meter)?;
                    let (host, seal) = (tree.join(file.below.as_str()), Seal::Store);
                    let (blob, executable) = (file.blob, file.executable);
                    kept.single.insert(number, Source::File { host, blob, executable, seal });
                }
                Input::File(_) if place::is_foreign(path) => {}
                Input::File(file) if file.is_large() => large.push((number, (path, file))),
                _ => {}
            }
        }
        let files: Vec<Own<'_>> = large.iter().map(|(_, file)| *file).collect();
        for own in one_or_each(&files) {
            kept.layers.push(self.take(own, store, sources, meter)?);
        }
        if let Some((last, _)) = large.last() {
            kept.shown.resize(last + 1, false);
            large.iter().for_each(|(number, _)| kept.shown[*number] = true);
        }
        Ok(kept)
    }

    /// The layers of files that are many.
    fn take_many(
        &self,
        own: &OwnFiles,
        store: &Store,
        sources: &dyn SourceFiles,
        meter: &Meter,
    ) -> Result<Arc<[Layer]>, StepError> {
        let known = {
            let mut many = self.many.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(many.entry(own.digest()).or_default())
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layers) = &*known {
            return Ok(Arc::clone(layers));
        }
        let (large, small): (Vec<Own<'_>>, Vec<Own<'_>>) =
            own.sources().partition(|(_, file)| file.is_large());
        let layers = one_or_each(&large).chain(runs(&small));
        let layers = layers.map(|files| self.take(files, store, sources, meter));
        let layers: Arc<[Layer]> = layers.collect::<Result<_, _>>()?;
        *known = Some(Arc::clone(&layers));
        Ok(layers)
    }

    /// The layer of `files`, which is made if it is not there.
    fn take(
        &self,
        files: &[Own<'_>],
        store: &Store,
        sources: &dyn SourceFiles,
        meter: &Meter,
    ) -> Result<Layer, StepError> {
        let known = {
            let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(layers.entry(identity(files)).or_default())
        };
        // Whoever wants the same waits, instead of taking it as well.
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layer) = &*known {
            return Ok(layer.clone());
        }
        let node = |file: &SourceFile| {
            let SourceFile { blob, size, executable, .. } = *file;
            Node::File { blob, size, executable }
        };
        let nodes: Vec<_> =
            files.iter().map(|(path, file)| ((*path).clone(), node(file))).collect();
        let manifest = Manifest::new(nodes)
            .map_err(|conflict| BuildTreeError::Conflict { path: conflict.path })?;
        let tree = manifest.digest();
        match store.tree(&tree)? {
            Lookup::Hit(_) => {}
            // What was wrong has been put aside.
            Lookup::Miss | Lookup::Corrupt(_) => build(files, store, sources, meter)?,
        }
        let dirs: BTreeSet<&str> =
            files.iter().flat_map(|(path, _)| path.ancestors().skip(1)).collect();
        let dirs = dirs.into_iter().filter_map(|dir| RelPath::parse(dir).ok()).collect();
        Ok(known.insert(Layer { tree: store.tree_place(&tree), dirs }).clone())
    }
}

/// What tells some files from others, by their paths and contents.
fn identity(files: &[Own<'_>]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (path, file) in files {
        hasher.update(&(path.as_str().len() as u64).to_le_bytes());
        hasher.update(path.as_str().as_bytes());
        hasher.update(file.blob.0.as_bytes());
        hasher.update(&[u8::from(file.executable)]);
    }
    hasher.finalize()
}

fn build(
    files: &[Own<'_>],
    store: &Store,
    sources: &dyn SourceFiles,
    meter: &Meter,
) -> Result<(), StepError> {
    let mut builder = store.build_tree()?.unless_stopped(meter);
    for (path, file) in files {
        let host = file.place(sources, store);
        builder.add_file(path, &host, &file.blob, file.executable).map_err(
            |error| match error {
                BuildTreeError::Changed { path } => {
                    StepError::Sandbox(SandboxError::Changed { paths: vec![path] })
                }
                other => other.into(),
            },
        )?;
    }
    builder.finish()?;
    Ok(())
}
