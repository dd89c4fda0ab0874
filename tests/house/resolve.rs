//! Resolves paths to the modules that define their targets.

use std::collections::BTreeSet;

use crate::module::{Crate, ModuleId, Path, ROOT};

/// The target of a path within the crate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Found {
    Module(ModuleId),
    /// Something else, defined in this module.
    In(ModuleId),
}

impl Found {
    /// The module itself, or the one that defines the target.
    pub(crate) fn module(self) -> ModuleId {
        let (Found::Module(id) | Found::In(id)) = self;
        id
    }
}

/// Resolves a path in a module: first every module that it passes through, then its target. Re-exported names
/// are followed to their definition. Empty if the path leads out of the crate.
pub(crate) fn resolve(of: &Crate, from: ModuleId, path: &Path) -> BTreeSet<Found> {
    let mut passed = BTreeSet::new();
    let ends = Resolver { of, asked: BTreeSet::new() }.follow(from, path, &mut passed);
    passed.extend(ends);
    passed
}

/// Resolves a single word that a module has only through a glob import. Modules are omitted: such a word may be a variable.
pub(crate) fn resolve_word(of: &Crate, from: ModuleId, word: &str) -> BTreeSet<Found> {
    let names = &of.modules[from].names;
    if names.globs.is_empty()
        || names.defined.contains(word)
        || names.imported.contains_key(word)
        || of.room(from, word).is_some()
    {
        return BTreeSet::new();
    }
    let mut found = Resolver { of, asked: BTreeSet::new() }.name(from, word).unwrap_or_default();
    found.retain(|found| matches!(found, Found::In(_)));
    found
}

struct Resolver<'c> {
    of: &'c Crate,
    /// The names being looked up, by module: imports may be circular.
    asked: BTreeSet<(ModuleId, String)>,
}

impl Resolver<'_> {
    /// The target of a path; adds the modules on the way to `passed`.
    fn follow(
        &mut self,
        from: ModuleId,
        path: &Path,
        passed: &mut BTreeSet<Found>,
    ) -> BTreeSet<Found> {
        let Some((first, rest)) = path.segments.split_first().filter(|_| !path.external) else {
            return BTreeSet::new();
        };
        let mut ends = match first.as_str() {
            "crate" => BTreeSet::from([Found::Module(ROOT)]),
            "self" => BTreeSet::from([Found::Module(from)]),
            "super" => BTreeSet::from([self.above(from)]),
            name => self.name(from, name).unwrap_or_default(),
        };
        for segment in rest {
            // A name followed by more segments is a module if there is one.
            let modules: BTreeSet<_> =
                ends.iter().copied().filter(|end| matches!(end, Found::Module(_))).collect();
            if modules.is_empty() {
                break;
            }
            passed.extend(&modules);
            ends = modules.into_iter().flat_map(|at| self.step(at.module(), segment)).collect();
        }
        ends
    }

    fn step(&mut self, module: ModuleId, segment: &str) -> BTreeSet<Found> {
        match segment {
            "self" => BTreeSet::from([Found::Module(module)]),
            "super" => BTreeSet::from([self.above(module)]),
            // A name without a visible definition is assumed to be defined by a macro there.
            name => self.name(module, name).unwrap_or_else(|| BTreeSet::from([Found::In(module)])),
        }
    }

    fn above(&self, module: ModuleId) -> Found {
        Found::Module(self.of.modules[module].parent.unwrap_or(ROOT))
    }

    /// The targets of a name in a module; `None` if the module has no such name, empty if it comes from outside.
    fn name(&mut self, module: ModuleId, name: &str) -> Option<BTreeSet<Found>> {
        if !self.asked.insert((module, name.to_owned())) {
            return None;
        }
        let found = self.own_name(module, name).or_else(|| self.name_by_glob(module, name));
        self.asked.remove(&(module, name.to_owned()));
        let names = &self.of.modules[module].names;
        found.or_else(|| names.perhaps.contains(name).then(|| BTreeSet::from([Found::In(module)])))
    }

    fn own_name(&mut self, module: ModuleId, name: &str) -> Option<BTreeSet<Found>> {
        let of = self.of;
        let names = &of.modules[module].names;
        let mut found: BTreeSet<_> = of.room(module, name).map(Found::Module).into_iter().collect();
        if names.defined.contains(name) {
            found.insert(Found::In(module));
        }
        let imports = names.imported.get(name);
        for path in imports.into_iter().flatten() {
            found.extend(self.follow(module, path, &mut BTreeSet::new()));
        }
        (imports.is_some() || !found.is_empty()).then_some(found)
    }

    fn name_by_glob(&mut self, module: ModuleId, name: &str) -> Option<BTreeSet<Found>> {
        let of = self.of;
        for path in &of.modules[module].names.globs {
            // A glob import of an enum yields its variants, which count as the enum.
            for end in self.follow(module, path, &mut BTreeSet::new()) {
                let Found::Module(end) = end else { continue };
                if let Some(found) = self.name(end, name) {
                    return Some(found);
                }
            }
        }
        None
    }
}
