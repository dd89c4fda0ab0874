//! A module without a command: its outputs are what lies in its directory.

use std::time::{Duration, Instant};

use wake_model::path::resolve_link;
use wake_model::{InputNode, Manifest, Node, Outcome, RelPath, RunRecord, Usage};
use wake_store::ware::new_guid;
use wake_store::{ActionEntry, BuildTreeError, Logs};

use super::failure::build_failure;
use super::{Key, NotRun, Ran, Runner, now_ms};
use crate::diagnostic::{Class, Diagnostic};
use crate::pin::{Layout, Origin, Pinned, Placed, PlacedSource};
use crate::profile::SpanKind;

impl Runner<'_> {
    /// Takes the outputs from what lies there.
    pub(super) fn collect(
        &self,
        pinned: &Pinned,
        key: &Key<'_>,
        label: &str,
    ) -> Result<Ran, NotRun> {
        let _span = self.profile.begin(SpanKind::Step, || "gather".to_owned());
        let started = Instant::now();
        let started_ms = now_ms();
        let mut builder = self.store.build_tree()?;
        let mut missing = Vec::new();
        for output in &pinned.declared {
            let mut found = false;
            for (path, placed) in
                pinned.layout.iter().filter(|(path, _)| path.starts_with(&output.path))
            {
                found = true;
                let (node, source) = self.followed(&pinned.layout, path, placed)?;
                self.add(&mut builder, path, &node, &source)?;
            }
            if !found {
                missing.push(format!(
                    "`{}` was declared as an output and does not exist",
                    output.path.dotted()
                ));
            }
        }
        let mut record = RunRecord {
            guid: new_guid(),
            started_ms,
            outcome: Outcome::Exited(0),
            outputs: Manifest::default(),
            stdout: None,
            stderr: None,
            usage: Usage::default(),
            sandbox: pinned.action.sandbox,
        };
        let mut tree = None;
        if missing.is_empty() {
            let (manifest, adopted) =
                builder.finish_as_outputs().map_err(|e| build_failure(label, &e))?;
            record.outputs = manifest;
            record.usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.store.put_action(ActionEntry {
                digest: key.digest,
                action: key.action,
                record: &record,
                tree: adopted.tree,
                stamps: &adopted.stamps,
                logs: Logs { stdout: &[], stderr: &[] },
            })?;
            tree = Some(adopted.tree);
        }
        let (stdout, stderr) = (Vec::new(), Vec::new());
        Ok(Ran {
            record,
            execution: None,
            tree,
            stdout,
            stderr,
            faults: missing,
            overhead: Duration::ZERO,
            corruption: None,
        })
    }

    /// What a link into things of others leads to, because those do not lie beside the result; anything
    /// else as it is.
    fn followed(
        &self,
        layout: &Layout,
        path: &RelPath,
        placed: &Placed,
    ) -> Result<(InputNode, PlacedSource), NotRun> {
        let as_it_is = (placed.node.clone(), placed.source.clone());
        let InputNode::Link { target } = &placed.node else { return Ok(as_it_is) };
        let place = resolve_link(&path.parent().unwrap_or_default(), target);
        let foreign = place.filter(|place| place.components().next() == Some(".wake"));
        let Some((there, below)) = foreign.and_then(|place| layout.covering(&place)) else {
            return Ok(as_it_is);
        };
        let PlacedSource::Store(tree, base, origin) = &there.source else {
            return Ok((there.node.clone(), there.source.clone()));
        };
        if below.is_root() {
            return Ok((there.node.clone(), there.source.clone()));
        }
        let at = base.join(&below);
        let manifest = self.store.manifest(tree)?.unwrap_or_default();
        let node = match manifest.get(&at) {
            Some(Node::File { blob, executable, .. }) => {
                InputNode::File { blob: *blob, executable: *executable }
            }
            Some(Node::Link { target }) => InputNode::Link { target: target.clone() },
            Some(Node::Dir) => InputNode::Dir,
            None => InputNode::Tree(manifest.subtree(&at).unwrap_or_default().digest()),
        };
        Ok((node, PlacedSource::Store(*tree, at, origin.clone())))
    }

    fn add(
        &self,
        builder: &mut wake_store::TreeBuilder,
        path: &RelPath,
        node: &InputNode,
        source: &PlacedSource,
    ) -> Result<(), NotRun> {
        let failed = |e: BuildTreeError| build_failure(path.as_str(), &e);
        match (node, source) {
            (InputNode::File { blob, executable }, PlacedSource::Checkout(from)) => {
                builder
                    .add_file(path, &self.files.absolute(&from.path()), blob, *executable)
                    .map_err(failed)?;
            }
            (InputNode::File { blob, executable }, PlacedSource::Store(tree, from, _)) => {
                let host = self.store.tree_place(tree).join(from.as_str());
                builder.add_file(path, &host, blob, *executable).map_err(failed)?;
            }
            (InputNode::File { executable, .. }, PlacedSource::Bytes(bytes)) => {
                builder.add_bytes(path, bytes, *executable).map_err(failed)?;
            }
            (InputNode::Tree(_), PlacedSource::Store(tree, from, _)) => {
                let Some(manifest) = self.store.manifest(tree)? else {
                    let message = format!("tree {} is not in the store", tree.0.short(12));
                    return Err(Diagnostic::error(Class::Integrity, message).into());
                };
                for (below, node) in manifest.subtree(from).unwrap_or_default().iter() {
                    let inner = match node {
                        Node::File { blob, executable, .. } => {
                            InputNode::File { blob: *blob, executable: *executable }
                        }
                        Node::Link { target } => InputNode::Link { target: target.clone() },
                        Node::Dir => InputNode::Dir,
                    };
                    let source =
                        PlacedSource::Store(*tree, from.join(below), Origin::Files(Vec::new()));
                    self.add(builder, &path.join(below), &inner, &source)?;
                }
            }
            (InputNode::Link { target }, _) => builder.add_link(path, target).map_err(failed)?,
            (InputNode::Dir | InputNode::Tree(_) | InputNode::File { .. }, _) => {
                builder.add_dir(path).map_err(failed)?;
            }
        }
        Ok(())
    }
}
