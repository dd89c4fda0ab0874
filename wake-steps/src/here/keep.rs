//! Sources that are large, or many: taken into the store once, and shown to commands from there.
//!
//! Where they lie somebody may be changing them, and all that is known of their bytes is what they were. What is mounted is
//! what was hashed while it was copied.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wake_exec::{Job, SandboxError, Seal, Source};
use wake_model::{Manifest, Node, RelPath, SandboxLevel, TreeDigest, place};
use wake_store::ware::Meter;
use wake_store::{BuildTreeError, Lookup, Store};

use crate::error::StepError;
use crate::pin::PinnedAction;
use crate::step::{Input, SourceFile, SourceFiles};

/// So many small files are in one layer, about; a power of two.
const RUN: usize = 256;
/// There are so many layers of them, about: the kernel has 500 at most.
const MOST_RUNS: usize = 64;

/// A step that has more large files of its own gets all of them as one layer.
const LAYERS: usize = 24;

/// What of sources this process knows to be in the store.
#[derive(Default)]
pub(super) struct KeptSources {
    trees: Mutex<HashMap<TreeDigest, Arc<Mutex<Presence>>>>,
}

/// Whether a tree is known to be in the store.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Unknown,
    Known,
}

/// A file that shows through the work directory.
struct Own<'a> {
    /// Which of the inputs it is.
    number: usize,
    path: &'a RelPath,
    file: &'a SourceFile,
}

/// Parts files, sorted by path, into layers. Where one ends hangs on a path alone, so that of two steps with almost the same
/// files most layers are the same, and an edited file makes one of them anew.
fn runs<'f, 'a>(files: &'f [Own<'a>]) -> impl Iterator<Item = &'f [Own<'a>]> {
    let mean = RUN.max((files.len() / MOST_RUNS).next_power_of_two());
    files.split_inclusive(move |own| digest_of(own.path).is_multiple_of(mean))
}

/// Some number that hangs on `path`; another one may come of it in another build of wake.
fn digest_of(path: &RelPath) -> usize {
    let mut hasher = DefaultHasher::new();
    path.as_str().hash(&mut hasher);
    hasher.finish() as usize
}

impl KeptSources {
    /// Has those among the sources of `pinned` in `store` that are not copied, and `job` take them from there.
    pub(super) fn keep(
        &self,
        job: &mut Job,
        pinned: &PinnedAction,
        store: &Store,
        sources: &dyn SourceFiles,
        meter: &Meter,
    ) -> Result<(), StepError> {
        // There are no mounts in the weak sandbox.
        if job.work.is_none() || pinned.action.sandbox == SandboxLevel::Weak {
            return Ok(());
        }
        let many = pinned.inputs.has_many_own_files();
        let (mut foreign, mut own, mut small) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (path, input)) in pinned.inputs.iter().enumerate() {
            match input {
                Input::File(file) if file.is_large() => match place::is_foreign(path) {
                    true => foreign.push((number, file)),
                    false => own.push(Own { number, path, file }),
                },
                Input::File(file) if many && !place::is_foreign(path) => {
                    small.push(Own { number, path, file });
                }
                _ => {}
            }
        }
        for (number, file) in foreign {
            let tree = self.take(&[(&file.below, file)], store, sources, meter)?;
            let (host, blob) = (tree.join(file.below.as_str()), file.blob);
            let executable = file.executable;
            let seal = Seal::Store;
            job.inputs[number].source = Source::File { host, blob, executable, seal };
        }
        let layers: Vec<&[Own<'_>]> = match own.len() {
            0..=LAYERS => own.chunks(1).collect(),
            _ => vec![&own],
        };
        for layer in layers.into_iter().chain(runs(&small)) {
            let files: Vec<_> = layer.iter().map(|own| (own.path, own.file)).collect();
            let tree = self.take(&files, store, sources, meter)?;
            for Own { number, file, .. } in layer {
                let (blob, executable) = (file.blob, file.executable);
                let tree = tree.clone();
                job.inputs[*number].source = Source::Kept { tree, blob, executable };
            }
        }
        Ok(())
    }

    /// Where the tree of `files` lies, which is made if it is not there.
    fn take(
        &self,
        files: &[(&RelPath, &SourceFile)],
        store: &Store,
        sources: &dyn SourceFiles,
        meter: &Meter,
    ) -> Result<PathBuf, StepError> {
        let node = |file: &SourceFile| {
            let SourceFile { blob, size, executable, .. } = *file;
            Node::File { blob, size, executable }
        };
        let nodes: Vec<_> =
            files.iter().map(|(path, file)| ((*path).clone(), node(file))).collect();
        let manifest = Manifest::new(nodes)
            .map_err(|conflict| BuildTreeError::Conflict { path: conflict.path })?;
        let tree = manifest.digest();
        let presence = {
            let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(trees.entry(tree).or_default())
        };
        // Whoever wants the same waits, instead of taking it as well.
        let mut presence = presence.lock().unwrap_or_else(PoisonError::into_inner);
        if *presence == Presence::Unknown {
            match store.tree(&tree)? {
                Lookup::Hit(_) => {}
                // What was wrong has been put aside.
                Lookup::Miss | Lookup::Corrupt(_) => build(files, store, sources, meter)?,
            }
            *presence = Presence::Known;
        }
        Ok(store.tree_place(&tree))
    }
}

fn build(
    files: &[(&RelPath, &SourceFile)],
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
