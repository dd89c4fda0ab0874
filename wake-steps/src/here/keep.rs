//! Large sources: taken into the store once, and shown to commands from there.
//!
//! Where they lie somebody may be changing them, and all that is known of their bytes is what they were. What is mounted is
//! what was hashed while it was copied.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wake_exec::{Job, SandboxError, Seal, Source};
use wake_model::{Manifest, Node, RelPath, SandboxLevel, TreeDigest, place};
use wake_store::ware::Meter;
use wake_store::{BuildTreeError, Lookup, Store};

use crate::error::StepError;
use crate::pin::PinnedAction;
use crate::step::{Input, SourceFile, SourceFiles};

/// A step that has more large files of its own gets all of them as one layer.
const LAYERS: usize = 24;

/// The large sources that this process knows to be in the store.
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

/// Files of one tree by their paths in it.
type Files<'a> = Vec<(&'a RelPath, &'a SourceFile)>;

impl KeptSources {
    /// Has the large ones among the sources of `pinned` in `store`, and `job` take them from there.
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
        let large =
            pinned.inputs.iter().enumerate().filter_map(|(number, (path, input))| match input {
                Input::File(file) if file.is_large() => Some((number, path, file)),
                _ => None,
            });
        let (foreign, own): (Vec<_>, Vec<_>) =
            large.partition(|(_, path, _)| place::is_foreign(path));
        for (number, _, file) in foreign {
            let tree = self.take(&vec![(&file.below, file)], store, sources, meter)?;
            let (host, blob) = (tree.join(file.below.as_str()), file.blob);
            let executable = file.executable;
            let seal = Seal::Store;
            job.inputs[number].source = Source::File { host, blob, executable, seal };
        }
        let files: Files<'_> = own.iter().map(|(_, path, file)| (*path, *file)).collect();
        let together = match own.len() {
            0..=LAYERS => None,
            _ => Some(self.take(&files, store, sources, meter)?),
        };
        for (number, path, file) in own {
            let tree = match &together {
                Some(tree) => tree.clone(),
                None => self.take(&vec![(path, file)], store, sources, meter)?,
            };
            let (blob, executable) = (file.blob, file.executable);
            job.inputs[number].source = Source::Kept { tree, blob, executable };
        }
        Ok(())
    }

    /// Where the tree of `files` lies, which is made if it is not there.
    fn take(
        &self,
        files: &Files<'_>,
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
    files: &Files<'_>,
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
