//! Where the things are defined that paths lead to.

use std::collections::BTreeSet;

use crate::module::{Crate, ModuleId, Path, ROOT};

/// What a path leads to, as far as it is in the crate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Found {
    Module(ModuleId),
    /// Something else, defined in this module.
    In(ModuleId),
}

impl Found {
    /// The module itself, or the one that the thing is defined in.
    pub(crate) fn module(self) -> ModuleId {
        let (Found::Module(id) | Found::In(id)) = self;
        id
    }
}

/// Where a path leads that stands in a module: first every module that it passes, then what it ends in. What is imported
/// again on the way is followed to where it is defined. Nothing where it leads out of the crate.
pub(crate) fn resolve(of: &Crate, from: ModuleId, path: &Path) -> BTreeSet<Found> {
    let mut passed = BTreeSet::new();
    let ends = Resolver { of, asked: BTreeSet::new() }.follow(from, path, &mut passed);
    passed.extend(ends);
    passed
}

/// Where a single word leads that a module has by a glob import, and only so. Modules are left out: such a word may be a variable.
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
    /// Which names of which modules are being looked up: imports may go around in a circle.
    asked: BTreeSet<(ModuleId, String)>,
}

impl Resolver<'_> {
    /// What a path ends in; adds the modules on the way to `passed`.
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
            // What has more segments behind it is a module if it can be one.
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
            // A name that nothing shows is taken for one that a macro made there.
            name => self.name(module, name).unwrap_or_else(|| BTreeSet::from([Found::In(module)])),
        }
    }

    fn above(&self, module: ModuleId) -> Found {
        Found::Module(self.of.modules[module].parent.unwrap_or(ROOT))
    }

    /// What a name is in a module; `None` where the module has no such name, nothing where it is from outside.
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
            // A glob of an enum gives its variants, which are mentioned with the enum.
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
