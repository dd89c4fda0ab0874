//! The order among targets.

use std::collections::HashMap;

use wake_model::PkgKey;

use super::ModuleRequest;
use crate::instance::Instances;

/// The turns of targets: those of a package come after those of the packages that it names.
///
/// Modules usually depend on modules of these packages. If those are complete first, their dependents can be told everything
/// and need not be evaluated a second time.
#[derive(Default)]
pub(super) struct Turns {
    numbers: HashMap<PkgKey, usize>,
    pkgs: Vec<Turn>,
}

/// The turn of one package.
#[derive(Default)]
struct Turn {
    /// The number of packages it names that have unfinished targets.
    before: usize,
    /// Its unfinished targets.
    open: usize,
    /// Its targets, until its turn has come.
    targets: Vec<ModuleRequest>,
    /// The packages that name it.
    after: Vec<usize>,
}

impl Turns {
    /// Creates the turns of these targets, and returns those that come first.
    pub(super) fn new(
        instances: &Instances,
        targets: Vec<ModuleRequest>,
    ) -> (Turns, Vec<ModuleRequest>) {
        if targets.len() <= 1 {
            return (Turns::default(), targets);
        }
        let named = instances.values().map(|pkg| pkg.pkgs.iter().map(|told| &told.key));
        Turns::of(instances.keys().zip(named), targets)
    }

    fn of<'a, N: Iterator<Item = &'a PkgKey>>(
        pkgs: impl Iterator<Item = (&'a PkgKey, N)> + Clone,
        targets: Vec<ModuleRequest>,
    ) -> (Turns, Vec<ModuleRequest>) {
        let numbers: HashMap<PkgKey, usize> =
            pkgs.clone().enumerate().map(|(number, (key, _))| (key.clone(), number)).collect();
        let mut turns = Turns { pkgs: Vec::new(), numbers };
        turns.pkgs.resize_with(turns.numbers.len(), Turn::default);
        for (number, (_, named)) in pkgs.enumerate() {
            for named in named.filter_map(|key| turns.numbers.get(key)) {
                turns.pkgs[*named].after.push(number);
                turns.pkgs[number].before += 1;
            }
        }
        let mut first = Vec::new();
        for wanted in targets {
            match turns.numbers.get(&wanted.pkg) {
                Some(&number) => {
                    let turn = &mut turns.pkgs[number];
                    turn.open += 1;
                    // Usually there is only one.
                    turn.targets.reserve_exact(1);
                    turn.targets.push(wanted);
                }
                None => first.push(wanted),
            }
        }
        let free = (0..turns.pkgs.len()).filter(|&number| turns.pkgs[number].before == 0).collect();
        turns.begin(free, &mut first);
        (turns, first)
    }

    /// Returns the targets whose turn has come now that a target of `pkg` is done.
    pub(super) fn done(&mut self, pkg: &PkgKey) -> Vec<ModuleRequest> {
        let mut next = Vec::new();
        let Some(&number) = self.numbers.get(pkg) else { return next };
        let turn = &mut self.pkgs[number];
        turn.open = turn.open.saturating_sub(1);
        if turn.open == 0 {
            let free = self.release(number);
            self.begin(free, &mut next);
        }
        next
    }

    /// Begins packages; after a package without targets, also those that follow it.
    fn begin(&mut self, mut free: Vec<usize>, begun: &mut Vec<ModuleRequest>) {
        // Reversed, because a stack is taken from the end.
        free.reverse();
        while let Some(number) = free.pop() {
            begun.extend(std::mem::take(&mut self.pkgs[number].targets));
            if self.pkgs[number].open == 0 {
                free.extend(self.release(number));
            }
        }
    }

    /// Returns the packages that were waiting only for this one.
    fn release(&mut self, number: usize) -> Vec<usize> {
        let mut after = std::mem::take(&mut self.pkgs[number].after);
        after.retain(|&after| {
            let turn = &mut self.pkgs[after];
            turn.before -= 1;
            turn.before == 0
        });
        after
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(name: &str) -> PkgKey {
        format!("@{name}@1.0.0").parse().unwrap()
    }

    fn wanted(name: &str) -> ModuleRequest {
        let (pkg, module) = name.split_once(':').unwrap();
        let (pkg, module) = (key(pkg), module.to_owned());
        ModuleRequest { pkg, module, config: None, merge: false, is_one_of_all: true }
    }

    fn names(targets: &[ModuleRequest]) -> Vec<String> {
        targets.iter().map(|target| format!("{}:{}", target.pkg, target.module)).collect()
    }

    #[test]
    fn targets_come_after_those_of_dependency_packages() {
        // `web` reaches `core` through `glue`, which has no target.
        let pkgs = [
            (key("core"), vec![]),
            (key("glue"), vec![key("core")]),
            (key("alone"), vec![]),
            (key("web"), vec![key("glue"), key("alone")]),
        ];
        let targets = ["web:a", "core:a", "core:b", "alone:a", "elsewhere:a"].map(wanted).to_vec();
        let pkgs = pkgs.iter().map(|(key, named)| (key, named.iter()));
        let (mut turns, mut first) = Turns::of(pkgs, targets);
        first.sort_by(|a, b| a.pkg.cmp(&b.pkg));
        let expected = ["@alone@1.0.0:a", "@core@1.0.0:a", "@core@1.0.0:b", "@elsewhere@1.0.0:a"];
        assert_eq!(names(&first), expected);
        assert!(turns.done(&key("core")).is_empty());
        assert!(turns.done(&key("alone")).is_empty());
        assert!(turns.done(&key("elsewhere")).is_empty());
        assert_eq!(names(&turns.done(&key("core"))), ["@web@1.0.0:a"]);
        assert!(turns.done(&key("web")).is_empty());
    }
}
