//! Large or numerous sources, which are copied into the store once and mounted from there.
//!
//! In the checkout a file can change at any time after it was hashed. What is mounted from the store is exactly what was
//! hashed while it was copied.

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

/// About how many small files a layer holds; a power of two.
const RUN: usize = 256;
/// About how many such layers there are at most: the kernel allows 500.
const MOST_RUNS: usize = 64;

/// A step with more large files of its own gets all of them as one layer.
const LAYERS: usize = 24;

/// Sources that this process knows to be in the store.
#[derive(Default)]
pub(super) struct KeptSources {
    /// By the digest of their paths and contents.
    layers: Mutex<HashMap<blake3::Hash, Slot<Layer>>>,
    /// The layers of large sets of files, by the digest of the directory they form.
    many: Mutex<HashMap<TreeDigest, Slot<Arc<[Layer]>>>>,
}

/// Something that is made once; other threads that need it wait.
type Slot<T> = Arc<Mutex<Option<T>>>;

/// The sources of an action that its job takes from the store.
#[derive(Default)]
pub(super) struct KeptFiles {
    /// Single files, by the numbers of inputs outside the large set.
    pub(super) single: HashMap<usize, Source>,
    /// Which inputs show through from layers; empty if none do.
    pub(super) shown: Vec<bool>,
    /// These layers.
    pub(super) layers: Vec<Layer>,
    /// Whether the large set of files shows through from layers.
    pub(super) many_shown: bool,
}

/// A file that shows through the work directory, with its path there.
type Own<'a> = (&'a RelPath, &'a SourceFile);

/// Groups files into layers: one for each file, or a single one if there would be too many.
fn one_or_each<'f, 'a>(files: &'f [Own<'a>]) -> impl Iterator<Item = &'f [Own<'a>]> {
    files.chunks(if files.len() > LAYERS { files.len() } else { 1 })
}

/// Splits files, sorted by path, into layers. The boundaries depend only on paths, so that two steps with almost the same files
/// share most layers, and an edited file rebuilds only one.
fn runs<'f, 'a>(files: &'f [Own<'a>]) -> impl Iterator<Item = &'f [Own<'a>]> {
    let mean = RUN.max((files.len() / MOST_RUNS).next_power_of_two());
    files.split_inclusive(move |(path, _)| digest_of(path).is_multiple_of(mean))
}

/// Returns a number derived from `path`; it can differ between builds of wake.
fn digest_of(path: &RelPath) -> usize {
    let mut hasher = DefaultHasher::new();
    path.as_str().hash(&mut hasher);
    hasher.finish() as usize
}

impl KeptSources {
    /// Takes into `store` those sources of `pinned` that are not copied for each command.
    pub(super) fn keep(
        &self,
        pinned: &PinnedAction,
        store: &Store,
        sources: &dyn SourceFiles,
        meter: &Meter,
    ) -> Result<KeptFiles, StepError> {
        let mut kept = KeptFiles::default();
        // The weak sandbox has no mounts.
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

    /// Returns the layers of a large set of files.
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

    /// Returns the layer of `files`, creating it if necessary.
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
        // Another thread that needs the same layer waits instead of copying it as well.
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
            // A damaged layer has been moved aside.
            Lookup::Miss | Lookup::Corrupt(_) => build(files, store, sources, meter)?,
        }
        let dirs: BTreeSet<&str> =
            files.iter().flat_map(|(path, _)| path.ancestors().skip(1)).collect();
        let dirs = dirs.into_iter().filter_map(|dir| RelPath::parse(dir).ok()).collect();
        Ok(known.insert(Layer { tree: store.tree_place(&tree), dirs }).clone())
    }
}

/// Returns a hash of the files' paths and contents.
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
