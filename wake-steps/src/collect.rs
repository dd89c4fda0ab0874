//! Steps that run nothing: their outputs are what lies at their paths already.

use std::time::Duration;

use wake_model::path::resolve_link;
use wake_model::{InputNode, Manifest, Outcome, RelPath, TreeDigest, Usage};
use wake_store::{Store, TreeBuilder};

use crate::clock;
use crate::engine::{KeptOutputs, Performance, Whereabouts};
use crate::error::StepError;
use crate::pin::{InputPlace, PinnedAction, input_node};
use crate::step::{Input, SourceFiles};

/// Takes the outputs of a step from its inputs.
pub fn collect(
    pinned: &PinnedAction,
    store: &Store,
    sources: &dyn SourceFiles,
) -> Result<Performance, StepError> {
    let (started, began_ms) = (clock::now(), clock::unix_ms());
    let mut collecting = Collecting { store, sources, builder: store.build_tree()? };
    let mut missing = Vec::new();
    for output in pinned.declared() {
        let mut found = false;
        for (path, part) in parts(pinned).filter(|(path, _)| path.starts_with(&output.path)) {
            found = true;
            let part = followed(pinned, store, path, part)?;
            collecting.add(path, &part)?;
        }
        if !found {
            let path = output.path.dotted();
            missing.push(format!("`{path}` was declared as an output and does not exist"));
        }
    }
    let mut usage = Usage::default();
    let left = if missing.is_empty() {
        let (manifest, adopted) = collecting.builder.finish_as_outputs()?;
        usage.wall_us = clock::micros(started.elapsed());
        let (wares, tree) = (Vec::new(), adopted.tree);
        Ok(Some(KeptOutputs { tree, manifest, wares, bytes: Whereabouts::Here(adopted) }))
    } else {
        Err(missing)
    };
    let (stdout, stderr, overhead) = (Vec::new(), Vec::new(), Duration::ZERO);
    let outcome = Outcome::Exited(0);
    Ok(Performance { began_ms, outcome, usage, stdout, stderr, overhead, left })
}

/// One thing that is taken.
struct Part<'p> {
    node: InputNode,
    bytes: Bytes<'p>,
}

/// Where its bytes are to be had.
enum Bytes<'p> {
    /// As an input has them.
    Of(&'p Input),
    /// At a path of a tree of the store.
    In(TreeDigest, RelPath),
}

fn parts(pinned: &PinnedAction) -> impl Iterator<Item = (&RelPath, Part<'_>)> {
    pinned.parts().map(|(path, input, node, located)| (path, part(input, node, located)))
}

fn part<'p>(input: &'p Input, node: &InputNode, located: &InputPlace) -> Part<'p> {
    let bytes = match (input, located) {
        (Input::Output { below, .. }, InputPlace::In(tree)) => Bytes::In(*tree, below.clone()),
        (Input::Tree { tree, .. }, _) => Bytes::In(*tree, RelPath::root()),
        _ => Bytes::Of(input),
    };
    Part { node: node.clone(), bytes }
}

/// What a link into things of others leads to, because those do not lie beside the result; anything else as it is.
fn followed<'p>(
    pinned: &'p PinnedAction,
    store: &Store,
    path: &RelPath,
    here: Part<'p>,
) -> Result<Part<'p>, StepError> {
    let InputNode::Link { target } = &here.node else { return Ok(here) };
    let place = resolve_link(&path.parent().unwrap_or_default(), target);
    let foreign = place.filter(wake_model::place::is_foreign);
    let Some((there, below)) = foreign.and_then(|place| covering(pinned, &place)) else {
        return Ok(here);
    };
    let Bytes::In(tree, base) = &there.bytes else { return Ok(there) };
    if below.is_root() {
        return Ok(there);
    }
    let at = base.join(&below);
    let manifest = store.manifest(tree)?.unwrap_or_default();
    let node = match manifest.get(&at) {
        Some(node) => input_node(node),
        None => InputNode::Tree(manifest.subtree(&at).unwrap_or_default().digest()),
    };
    Ok(Part { node, bytes: Bytes::In(*tree, at) })
}

/// What lies at `place` or is placed above it, and the way on inside that.
fn covering<'p>(pinned: &'p PinnedAction, place: &RelPath) -> Option<(Part<'p>, RelPath)> {
    let above = parts(pinned).filter_map(|(path, part)| Some((part, place.strip(path)?)));
    above.min_by_key(|(_, below)| below.as_str().len())
}

struct Collecting<'a> {
    store: &'a Store,
    sources: &'a dyn SourceFiles,
    builder: TreeBuilder<'a>,
}

impl Collecting<'_> {
    fn add(&mut self, path: &RelPath, part: &Part<'_>) -> Result<(), StepError> {
        match (&part.node, &part.bytes) {
            (InputNode::File { blob, executable }, Bytes::Of(Input::File(file))) => {
                let host = file.place(self.sources, self.store);
                self.builder.add_file(path, &host, blob, *executable)?;
            }
            (InputNode::File { blob, executable }, Bytes::In(tree, from)) => {
                let host = self.store.tree_place(tree).join(from.as_str());
                self.builder.add_file(path, &host, blob, *executable)?;
            }
            (InputNode::File { executable, .. }, Bytes::Of(Input::Bytes { bytes, .. })) => {
                self.builder.add_bytes(path, bytes, *executable)?;
            }
            (InputNode::Tree(_), Bytes::In(tree, from)) => {
                for (below, node) in self.manifest(tree)?.subtree(from).unwrap_or_default().iter() {
                    let bytes = Bytes::In(*tree, from.join(below));
                    self.add(&path.join(below), &Part { node: input_node(node), bytes })?;
                }
            }
            (InputNode::Link { target }, _) => self.builder.add_link(path, target)?,
            _ => self.builder.add_dir(path)?,
        }
        Ok(())
    }

    fn manifest(&self, tree: &TreeDigest) -> Result<Manifest, StepError> {
        let missing =
            || StepError::Integrity(format!("tree {} is not in the store", tree.0.short(12)));
        self.store.manifest(tree)?.ok_or_else(missing)
    }
}
