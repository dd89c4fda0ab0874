//! A crate as a tree of modules, each with the names it defines and the names it mentions.

use std::collections::{BTreeMap, BTreeSet};

/// A crate: its modules, of which the first is the root.
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) modules: Vec<Module>,
}

/// A module's index in its crate.
pub(crate) type ModuleId = usize;

/// The root of every crate.
pub(crate) const ROOT: ModuleId = 0;

/// One module, without code compiled only for tests.
pub(crate) struct Module {
    /// Its path in the crate; empty for the root.
    pub(crate) path: Vec<String>,
    pub(crate) parent: Option<ModuleId>,
    /// The file that contains its code.
    pub(crate) file: String,
    /// The position of its `mod`; for the root, the first line of its file.
    pub(crate) declared: Place,
    /// The modules that it declares, in order.
    pub(crate) rooms: Vec<ModuleId>,
    pub(crate) names: Names,
    pub(crate) mentions: Vec<Mention>,
}

/// A line of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// The names that a path into a module may end in, besides its rooms.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) defined: BTreeSet<String>,
    /// Names imported by `use`, as called here. One name may be a type and a function from different modules.
    pub(crate) imported: BTreeMap<String, Vec<Path>>,
    pub(crate) globs: Vec<Path>,
    /// Words in macro invocations in item position: such a macro may define them.
    pub(crate) perhaps: BTreeSet<String>,
}

/// A path as it was written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    /// Whether it begins with `::`, so that it leads out of the crate.
    pub(crate) external: bool,
}

impl Path {
    /// Whether it begins with `crate`, `self` or `super`.
    pub(crate) fn is_spelled_out(&self) -> bool {
        matches!(self.segments[0].as_str(), "crate" | "self" | "super") && !self.external
    }
}

/// A path in a module's code.
#[derive(Clone)]
pub(crate) struct Mention {
    pub(crate) path: Path,
    pub(crate) line: usize,
}

impl Crate {
    /// The modules from the root down to one, both included.
    pub(crate) fn way_to(&self, module: ModuleId) -> Vec<ModuleId> {
        let mut way: Vec<_> =
            std::iter::successors(Some(module), |&id| self.modules[id].parent).collect();
        way.reverse();
        way
    }

    /// The room of a module with this name.
    pub(crate) fn room(&self, module: ModuleId, name: &str) -> Option<ModuleId> {
        let rooms = &self.modules[module].rooms;
        rooms.iter().copied().find(|&id| self.modules[id].name() == name)
    }
}

impl Module {
    /// Its own name; of the root, `crate`.
    pub(crate) fn name(&self) -> &str {
        self.path.last().map_or("crate", String::as_str)
    }
}
