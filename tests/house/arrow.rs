//! Imports that lead from one room to another.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use crate::module::{Crate, Mention, ModuleId, Place};
use crate::resolve::{resolve, resolve_word};

/// An import between two rooms of one list, or between modules inside them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    pub(crate) at: Place,
    /// The two rooms, in the innermost module that contains both ends.
    pub(crate) from: ModuleId,
    pub(crate) to: ModuleId,
    /// The module where the path ends.
    target: ModuleId,
    /// The path as written.
    written: String,
}

/// All arrows between rooms of a crate, sorted; only the first of several names in one line from one room.
pub(crate) fn arrows(of: &Crate) -> Vec<Arrow> {
    let sorted: BTreeSet<_> = (0..of.modules.len()).flat_map(|id| arrows_from(of, id)).collect();
    let mut arrows: Vec<_> = sorted.into_iter().collect();
    arrows.dedup_by_key(|arrow| (arrow.at.clone(), arrow.from, arrow.to));
    arrows
}

/// The arrows of one module. A path that begins at an imported name adds nothing if its import is an arrow between the
/// same two rooms.
fn arrows_from(of: &Crate, from: ModuleId) -> BTreeSet<Arrow> {
    let (spelled_out, by_name): (Vec<_>, Vec<_>) =
        of.modules[from].mentions.iter().partition(|mention| mention.path.is_spelled_out());
    let arrow = |mention: &Mention| arrow(of, from, mention);
    let mut found: BTreeSet<_> = spelled_out.into_iter().filter_map(arrow).collect();
    let known: BTreeSet<_> = found.iter().map(|arrow| (arrow.from, arrow.to)).collect();
    let more = by_name.into_iter().filter_map(arrow);
    found.extend(more.filter(|arrow| !known.contains(&(arrow.from, arrow.to))));
    found
}

fn arrow(of: &Crate, module: ModuleId, mention: &Mention) -> Option<Arrow> {
    let leads_to = match mention.path.segments.as_slice() {
        [word] if !mention.path.is_spelled_out() => resolve_word(of, module, word),
        _ => resolve(of, module, &mention.path),
    };
    // A path may pass through one room and end in another: a room that is declared later decides.
    let (from, to, target) = leads_to
        .into_iter()
        .filter_map(|found| {
            let (from, to) = between(of, module, found.module())?;
            Some((from, to, found.module()))
        })
        .max_by_key(|&(from, to, _)| (to > from, to))?;
    let at = Place { file: of.modules[module].file.clone(), line: mention.line };
    Some(Arrow { at, from, to, target, written: mention.path.segments.join("::") })
}

/// The two rooms of one list that an import connects; `None` if one module contains the other.
fn between(of: &Crate, from: ModuleId, to: ModuleId) -> Option<(ModuleId, ModuleId)> {
    let (way, other) = (of.way_to(from), of.way_to(to));
    way.into_iter().zip(other).find(|(a, b)| a != b)
}

impl Arrow {
    /// Whether it leads to a room that is declared later.
    pub(crate) fn is_back(&self) -> bool {
        // Modules are numbered in the order of their declarations.
        self.from < self.to
    }

    /// The imported path, for a message.
    pub(crate) fn import(&self, of: &Crate) -> String {
        let Self { at, written, .. } = self;
        let target = format!("crate::{}", of.modules[self.target].path.join("::"));
        if written.starts_with(&target) {
            format!("{at}: imports {written}")
        } else {
            format!("{at}: imports {written} of {target}")
        }
    }

    /// Why it is not allowed, for a message.
    pub(crate) fn complaint(&self, of: &Crate) -> String {
        let room = |id: ModuleId| {
            let module = &of.modules[id];
            format!("`{}` ({})", module.path.join("::"), module.declared)
        };
        let (import, from, to) = (self.import(of), room(self.from), room(self.to));
        format!("{import}, but room {from} comes before {to}")
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
