//! The content of an asset that was just built.
//!
//! A link to an input asset cannot stay as the command made it, because the target's location differs between machines.
//! Such links are removed from the output folder and listed in a file next to it.

use std::collections::BTreeMap;
use std::fs;

use wake_model::{Manifest, Node, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::{Input, StepId, StepOutput};

use super::{Builds, Part};
use crate::plan::{ASSET, Origin};

/// The list of links, next to the asset's directory.
pub(super) const LINKS: &str = "links";

/// A link from an asset to one of its input assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenLink {
    /// Its path in the asset.
    pub(super) path: RelPath,
    /// The name of the input.
    pub(super) input: String,
    /// The target's path in the input asset.
    pub(super) below: RelPath,
}

/// Parses the list of links.
fn links(text: &str) -> Option<Vec<GivenLink>> {
    let mut lines = text.lines();
    let mut links = Vec::new();
    while let Some(path) = lines.next() {
        let target = lines.next()?;
        let (input, below) = target.split_once('/').unwrap_or((target, ""));
        let below = if below.is_empty() { RelPath::root() } else { below.parse().ok()? };
        links.push(GivenLink { path: path.parse().ok()?, input: input.to_owned(), below });
    }
    Some(links)
}

impl Builds<'_> {
    /// Returns the links from a build's output to its input assets.
    pub(super) fn links(&self, done: &StepOutput) -> Result<Vec<GivenLink>, Diagnostic> {
        let path = self.store.tree_place(&done.tree).join(LINKS);
        let text = fs::read_to_string(&path).map_err(|error| {
            Diagnostic::error(Class::Environment, format!("`{}`: {error}", path.display()))
        })?;
        links(&text).ok_or_else(|| {
            Diagnostic::error(
                Class::Action,
                "the target of a link in the asset is not a valid path",
            )
        })
    }

    /// Returns the content of a built asset's directory, without the links to its input assets.
    pub(super) fn nodes(done: &StepOutput) -> Manifest {
        RelPath::parse(ASSET)
            .ok()
            .and_then(|asset| done.manifest.subtree(&asset))
            .unwrap_or_default()
    }

    /// Returns the content of a built asset as inputs for another step, by relative path.
    pub(super) fn built_inputs(
        &self,
        number: usize,
    ) -> Result<BTreeMap<RelPath, Input>, Diagnostic> {
        let missing = || {
            let message = format!("{}: not built yet", self.build(number).label());
            Diagnostic::error(Class::Internal, message)
        };
        let step = self.step_of(number, Part::Commands).ok_or_else(missing)?;
        let done = self.results.get(step).ok_or_else(missing)?;
        let mut inputs: BTreeMap<RelPath, Input> = Self::nodes(done)
            .iter()
            .map(|(path, node)| (path.clone(), input(step, path, node)))
            .collect();
        for link in self.links(done)? {
            if let Some(given) = self.given(number, &link)? {
                inputs.insert(link.path, given);
            }
        }
        Ok(inputs)
    }

    /// Returns the target of a link, if it is a file.
    fn given(&self, number: usize, link: &GivenLink) -> Result<Option<Input>, Diagnostic> {
        let mut assets = self.build(number).assets.iter();
        let Some(given) = assets.find(|given| given.name.as_str() == link.input) else {
            return Ok(None);
        };
        Ok(match &given.origin {
            Origin::Registered { inputs, .. } => inputs.get(&link.below).cloned(),
            Origin::Built(parent) => self.built_inputs(*parent)?.remove(&link.below),
        })
    }
}

fn input(step: StepId, path: &RelPath, node: &Node) -> Input {
    match node {
        Node::File { .. } => {
            let below = RelPath::parse(ASSET).unwrap_or_default().join(path);
            Input::Output { step, below }
        }
        Node::Link { target } => Input::Link { target: target.clone() },
        Node::Dir => Input::Dir,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_link_is_two_lines() {
        let all = links("a.fa\nfasta/G.fa\nx/all\nother\n").unwrap();
        let of = |link: &GivenLink| format!("{} {} {}", link.path, link.input, link.below);
        assert_eq!(all.iter().map(of).collect::<Vec<_>>(), ["a.fa fasta G.fa", "x/all other "]);
        for wrong in ["a\n", "../a\nb/c\n", "a\nb/../../c\n"] {
            assert_eq!(links(wrong), None, "{wrong:?}");
        }
        assert_eq!(links("").unwrap(), []);
    }
}
