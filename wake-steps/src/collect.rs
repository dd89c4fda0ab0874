//! Steps without a command: their outputs are taken from their inputs.

use std::collections::BTreeSet;
use std::time::Duration;

use wake_model::path::resolve_link;
use wake_model::{InputNode, Manifest, Node, Outcome, RelPath, TreeDigest, Usage};
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
    let declared: Vec<RelPath> = pinned.declared().into_iter().map(|decl| decl.path).collect();
    let gathered = gather(pinned, &declared, store, sources)?;
    let mut usage = Usage::default();
    let left = match gathered {
        Ok(builder) => {
            let (manifest, adopted) = builder.finish_as_outputs()?;
            usage.wall_us = clock::micros(started.elapsed());
            let (wares, tree) = (Vec::new(), adopted.tree);
            Ok(Some(KeptOutputs { tree, manifest, wares, bytes: Whereabouts::Here(adopted) }))
        }
        Err(missing) => {
            let fault = |missing: &Missing| missing.told("was declared as an output");
            Err(missing.iter().map(fault).collect())
        }
    };
    Ok(performance(began_ms, usage, left))
}

/// Performs a step without a command.
pub(crate) fn performance(
    began_ms: u64,
    usage: Usage,
    left: Result<Option<KeptOutputs>, Vec<String>>,
) -> Performance {
    let (stdout, stderr, overhead) = (Vec::new(), Vec::new(), Duration::ZERO);
    let outcome = Outcome::Exited(0);
    let (depfile, report) = (None, None);
    Performance { began_ms, outcome, usage, stdout, stderr, depfile, report, overhead, left }
}

/// A path at which there is nothing to take.
pub(crate) struct Missing {
    path: RelPath,
    /// Whether the path leads through a symbolic link.
    is_behind_link: bool,
}

impl Missing {
    /// Returns the message, where `claims` says why something should be there.
    pub(crate) fn told(&self, claims: &str) -> String {
        let path = self.path.dotted();
        match self.is_behind_link {
            true => format!("`{path}` is behind a symbolic link, which is not followed"),
            false => format!("`{path}` {claims} but does not exist"),
        }
    }
}

/// Builds a tree of what lies at each of `paths` among the inputs, or returns the paths at which nothing lies.
pub(crate) fn gather<'s>(
    pinned: &PinnedAction,
    paths: &[RelPath],
    store: &'s Store,
    sources: &dyn SourceFiles,
) -> Result<Result<TreeBuilder<'s>, Vec<Missing>>, StepError> {
    let builder = store.build_tree()?;
    let mut collecting = Collecting { pinned, declared: paths, store, sources, builder, depth: 0 };
    let mut missing = Vec::new();
    let mut taken: Vec<&RelPath> = Vec::new();
    // Each once, after the directories that contain it.
    for output in paths.iter().collect::<BTreeSet<_>>() {
        // A path inside another output comes with that output, if it exists.
        let within = taken.iter().any(|taken| output.starts_with(taken));
        let mut found = false;
        for (path, part) in parts(pinned).filter(|(path, _)| path.starts_with(output)) {
            found = true;
            if within {
                break;
            }
            collecting.place(path, path, part, &mut Vec::new())?;
        }
        if !found {
            found = match within {
                true => collecting.part(output)?.is_some(),
                false => collecting.place_part(output)?,
            };
        }
        if !found {
            let is_behind_link = collecting.is_behind_link(output)?;
            missing.push(Missing { path: output.clone(), is_behind_link });
        }
        taken.push(output);
    }
    Ok(if missing.is_empty() { Ok(collecting.builder) } else { Err(missing) })
}

/// One thing that is taken.
struct Part<'p> {
    node: InputNode,
    bytes: Bytes<'p>,
}

/// Where its bytes are.
enum Bytes<'p> {
    /// In an input.
    Of(&'p Input),
    /// At a path of a tree in the store.
    In(TreeDigest, RelPath),
}

fn parts(pinned: &PinnedAction) -> impl Iterator<Item = (&RelPath, Part<'_>)> {
    pinned.parts().map(|(path, input, node, located)| (path, part(input, node, located)))
}

fn part<'p>(input: &'p Input, node: InputNode, located: &InputPlace) -> Part<'p> {
    let bytes = match (input, located) {
        (Input::Output { below, .. }, InputPlace::In(tree)) => Bytes::In(*tree, below.clone()),
        (Input::Tree { tree, .. }, _) => Bytes::In(*tree, RelPath::root()),
        _ => Bytes::Of(input),
    };
    Part { node, bytes }
}

/// Returns whether the link at `path`, which lies in `dir` or is `dir`, leads to something in `dir` without leaving it.
fn stays_in(dir: &RelPath, path: &RelPath, target: &str) -> bool {
    let below = path.strip(dir).and_then(|below| below.parent());
    below.is_some_and(|holder| resolve_link(&holder, target).is_some())
}

fn cycle(path: &RelPath) -> StepError {
    StepError::LinkCycle { path: path.dotted() }
}

/// Returns the input at `place` or above it, and the rest of the path inside that input.
fn covering<'p>(pinned: &'p PinnedAction, place: &RelPath) -> Option<(Part<'p>, RelPath)> {
    let above = parts(pinned).filter_map(|(path, part)| Some((part, place.strip(path)?)));
    above.min_by_key(|(_, below)| below.as_str().len())
}

/// The most links followed one inside the other.
const MOST_LINKS: usize = 8;

struct Collecting<'a, 's> {
    pinned: &'a PinnedAction,
    /// Paths that will lie beside each other in the result.
    declared: &'a [RelPath],
    store: &'s Store,
    sources: &'a dyn SourceFiles,
    builder: TreeBuilder<'s>,
    /// How many links of trees are being followed.
    depth: usize,
}

impl<'a> Collecting<'a, '_> {
    /// Places at `to` what lies at `path`. A link that points outside of the result is replaced by a copy of its target;
    /// `through` lists the places of the links followed so far.
    fn place(
        &mut self,
        path: &RelPath,
        to: &RelPath,
        part: Part<'a>,
        through: &mut Vec<RelPath>,
    ) -> Result<(), StepError> {
        let Some(place) = self.elsewhere(path, &part, through.last()) else {
            return self.add(to, &part);
        };
        if through.len() >= MOST_LINKS || through.contains(&place) {
            return Err(cycle(path));
        }
        let pinned = self.pinned;
        if let Some((there, below)) = covering(pinned, &place) {
            through.push(place.clone());
            let there = self.below(there, &below)?;
            self.place(&place, to, there, through)?;
            through.pop();
            return Ok(());
        }
        // A directory whose files were placed one by one.
        let below = parts(pinned).filter_map(|(at, there)| Some((at, at.strip(&place)?, there)));
        let below: Vec<_> = below.collect();
        if below.is_empty() {
            return self.add(to, &part);
        }
        through.push(place.clone());
        for (at, name, there) in below {
            self.place(at, &to.join(&name), there, through)?;
        }
        through.pop();
        Ok(())
    }

    /// Places at `path` what lies there in a directory that was placed as a whole; returns whether there was something.
    fn place_part(&mut self, path: &RelPath) -> Result<bool, StepError> {
        let Some(part) = self.part(path)? else { return Ok(false) };
        self.place(path, path, part, &mut Vec::new())?;
        Ok(true)
    }

    /// Returns whether a directory on the way to `path` is a link.
    fn is_behind_link(&self, path: &RelPath) -> Result<bool, StepError> {
        let mut dir = path.parent();
        while let Some(at) = dir.filter(|at| !at.is_root()) {
            if let Some((whole, below)) = covering(self.pinned, &at) {
                let part = self.below(whole, &below)?;
                if matches!(part.node, InputNode::Link { .. }) {
                    return Ok(true);
                }
            }
            dir = at.parent();
        }
        Ok(false)
    }

    /// Returns what lies at `path` in a directory that was placed as a whole.
    fn part(&self, path: &RelPath) -> Result<Option<Part<'a>>, StepError> {
        let Some((whole, below)) = covering(self.pinned, path) else { return Ok(None) };
        let part = self.below(whole, &below)?;
        let is_there = match (&part.node, &part.bytes) {
            (InputNode::Tree(_), Bytes::In(tree, at)) => self.manifest(tree)?.subtree(at).is_some(),
            _ => !matches!(part.bytes, Bytes::Of(_)),
        };
        Ok(is_there.then_some(part))
    }

    /// Returns the target of a link that would lead elsewhere, or nowhere, from the result; `copied` is the place that is being
    /// copied to where the link to it was.
    fn elsewhere(
        &self,
        path: &RelPath,
        part: &Part<'_>,
        copied: Option<&RelPath>,
    ) -> Option<RelPath> {
        let InputNode::Link { target } = &part.node else { return None };
        let place = resolve_link(&path.parent().unwrap_or_default(), target)?;
        let stays = match copied {
            None => self.declared.iter().any(|kept| place.starts_with(kept)),
            Some(copied) => stays_in(copied, path, target),
        };
        (!stays).then_some(place)
    }

    /// Follows the link at `at` of a tree; returns the link itself if its target does not exist.
    fn followed(
        &self,
        tree: &TreeDigest,
        at: &RelPath,
        target: &str,
    ) -> Result<Part<'a>, StepError> {
        let manifest = self.manifest(tree)?;
        let mut place = at.clone();
        let mut node = Node::Link { target: target.to_owned() };
        for _ in 0..MOST_LINKS {
            let Node::Link { target } = &node else { break };
            let Some(next) = resolve_link(&place.parent().unwrap_or_default(), target) else {
                break;
            };
            match (manifest.get(&next), manifest.subtree(&next)) {
                (Some(there), _) => node = there.clone(),
                (None, Some(below)) => {
                    let node = InputNode::Tree(below.digest());
                    return Ok(Part { node, bytes: Bytes::In(*tree, next) });
                }
                (None, None) => break,
            }
            place = next;
        }
        Ok(Part { node: input_node(&node), bytes: Bytes::In(*tree, place) })
    }

    /// Returns the part at a path inside something.
    fn below(&self, whole: Part<'a>, below: &RelPath) -> Result<Part<'a>, StepError> {
        let (Bytes::In(tree, base), false) = (&whole.bytes, below.is_root()) else {
            return Ok(whole);
        };
        let at = base.join(below);
        let manifest = self.manifest(tree)?;
        let node = match manifest.get(&at) {
            Some(node) => input_node(node),
            None => InputNode::Tree(manifest.subtree(&at).unwrap_or_default().digest()),
        };
        Ok(Part { node, bytes: Bytes::In(*tree, at) })
    }

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
                    let at = from.join(below);
                    let part = match node {
                        Node::Link { target } if !stays_in(from, &at, target) => {
                            self.followed(tree, &at, target)?
                        }
                        _ => Part { node: input_node(node), bytes: Bytes::In(*tree, at) },
                    };
                    self.depth += 1;
                    if self.depth > MOST_LINKS {
                        return Err(cycle(from));
                    }
                    self.add(&path.join(below), &part)?;
                    self.depth -= 1;
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
