//! The program of an exec.

use wake_model::{InputNode, Node, RelPath};

use super::{Layout, Placed, Site};
use crate::diagnostic::Diagnostic;
use crate::view::{Place, Special, special};
use crate::written::Written;

/// Links in the way to a program; more are taken for a circle.
const MOST_LINKS: usize = 40;

impl Site<'_> {
    /// The path of the program, which must be there and executable.
    pub(super) fn program(
        &self,
        program: &Written<'_>,
        layout: &mut Layout,
    ) -> Result<String, Box<Diagnostic>> {
        let Some(Special::File { path, .. }) = special(program) else {
            return Err(self.error("`ref` of the exec does not resolve to a file", program));
        };
        self.bring(path, program, true, layout)?;
        let at = RelPath::parse(path).map_err(|e| self.error(e.to_string(), program))?;
        match self.is_executable(&at, layout) {
            Some(true) => Ok(at.dotted()),
            Some(false) => {
                let error = self.error(format!("`{path}` is not executable"), program);
                Err(Box::new(match Place::parse(path) {
                    Some(Place::Own(_)) => error.help(format!("`chmod +x {path}`")),
                    _ => error.help("the module that makes it must set its executable bit"),
                }))
            }
            None => Err(self.error(format!("`{path}` is not a file"), program)),
        }
    }

    /// Whether the file at `at` is executable; none if there is no file.
    fn is_executable(&self, at: &RelPath, layout: &Layout) -> Option<bool> {
        let mut at = at.clone();
        for _ in 0..MOST_LINKS {
            let (placed, below) = layout.covering(&at)?;
            match &placed.node {
                InputNode::File { executable, .. } if below.is_root() => return Some(*executable),
                InputNode::Link { target } => {
                    let base = at_of(&at, &below)?.parent()?;
                    at = wake_model::path::resolve_link(&base, target)?.join(&below);
                }
                InputNode::Tree(_) => return self.executable_in_tree(placed, &below),
                InputNode::File { .. } | InputNode::Dir => return None,
            }
        }
        None
    }

    fn executable_in_tree(&self, placed: &Placed, below: &RelPath) -> Option<bool> {
        let super::PlacedSource::Store(tree, base, _) = &placed.source else { return None };
        let manifest = self.pinner.store.manifest(tree).ok()??;
        match manifest.get(&base.join(below))? {
            Node::File { executable, .. } => Some(*executable),
            // A link inside a tree: the kernel follows it when the program is started.
            Node::Link { .. } => Some(true),
            Node::Dir => None,
        }
    }
}

/// The path of what covers `at`, `below` being the way from there to `at`.
fn at_of(at: &RelPath, below: &RelPath) -> Option<RelPath> {
    let mut here = at.clone();
    for _ in below.components() {
        here = here.parent()?;
    }
    Some(here)
}
