//! The program of an exec.

use wake_model::place::LocalPath;
use wake_model::{Manifest, Node, RelPath};
use wake_steps::Input;

use super::{Lowered, Site, Unbuilt};
use crate::view::{Special, special};
use crate::written::JsonValue;

/// The most links followed on the way to a program; more count as a loop.
const MOST_LINKS: usize = 40;

impl Site<'_> {
    /// Returns the path of the program, which must exist and be executable, or the name of a program in the root file system.
    pub(super) fn program(&mut self, program: &JsonValue<'_>) -> Lowered<String> {
        if program.get("type").and_then(JsonValue::as_str) == Some("program") {
            let name = program.get("name").and_then(JsonValue::as_str);
            return Ok(name.unwrap_or_default().to_owned());
        }
        let path = match special(program) {
            Some(Special::File { path, .. }) => {
                self.bring(path, program, true)?;
                path
            }
            Some(Special::Fetched { path, .. }) => {
                self.bring_fetched(program)?;
                path
            }
            _ => return Err(self.error("`ref` of the exec does not resolve to a file", program)),
        };
        let at = RelPath::parse(path).map_err(|e| self.error(e.to_string(), program))?;
        match self.is_executable(&at) {
            Some(true) => Ok(at.dotted()),
            Some(false) => {
                let error = self.error(format!("`{path}` is not executable"), program);
                Err(Box::new(match LocalPath::parse(path) {
                    Some(LocalPath::Own(_)) => error.help(format!("`chmod +x {path}`")),
                    _ => error.help("set its executable bit in the module that creates it"),
                }))
            }
            None => Err(self.error(format!("`{path}` is not a file"), program)),
        }
    }

    /// Returns whether the file at `at` is executable; none if there is no file.
    fn is_executable(&self, at: &RelPath) -> Option<bool> {
        let mut at = at.clone();
        for _ in 0..MOST_LINKS {
            let (input, below) = self.inputs.covering(&at)?;
            let target = match input {
                Input::File(file) if below.is_root() => return Some(file.executable),
                Input::Bytes { executable, .. } if below.is_root() => return Some(*executable),
                Input::Link { target } => target,
                Input::Output { step, below: base } => {
                    let done = self.ground.results.get(*step);
                    if done.is_none() && self.lowering.unbuilt == Unbuilt::Promised {
                        return Some(true);
                    }
                    let manifest = &done?.manifest;
                    match manifest.get(base) {
                        Some(Node::Link { target }) => target,
                        _ => return executable_in(manifest, &base.join(&below)),
                    }
                }
                Input::Tree { tree, .. } => {
                    let manifest = self.lowering.store.manifest(tree).ok()??;
                    return executable_in(&manifest, &below);
                }
                _ => return None,
            };
            let base = at_of(&at, &below)?.parent()?;
            at = wake_model::path::resolve_link(&base, target)?.join(&below);
        }
        None
    }
}

fn executable_in(manifest: &Manifest, at: &RelPath) -> Option<bool> {
    match manifest.get(at)? {
        Node::File { executable, .. } => Some(*executable),
        // The kernel follows a link inside a tree when it starts the program.
        Node::Link { .. } => Some(true),
        Node::Dir => None,
    }
}

/// Returns the path of the input that contains `at`, where `below` is the rest of the path.
fn at_of(at: &RelPath, below: &RelPath) -> Option<RelPath> {
    let mut here = at.clone();
    for _ in below.components() {
        here = here.parent()?;
    }
    Some(here)
}
