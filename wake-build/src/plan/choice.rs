//! Which of the modules that targets mean are wanted, now that it is known what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wake_eval::Read;
use wake_model::PkgKey;
use wake_steps::diagnostic::Failure;

use super::search::FoundModule;
use super::{ModuleRequest, label_of};
use crate::instance::Instances;
use crate::purpose::{Candidate, Purpose, TagSelection};

/// What is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// What the build is for.
    pub(crate) purpose: &'a Purpose,
    /// Which tags.
    pub(crate) tags: &'a TagSelection,
}

/// A module that a pattern means and nobody wants: it had to be evaluated to know that.
#[derive(Debug)]
pub(crate) struct Unwanted {
    /// Its package.
    pub(crate) pkg: PkgKey,
    /// The files and directories that its evaluation read.
    pub(crate) reads: Vec<Read>,
}

/// What was chosen.
pub(super) struct Chosen {
    /// The identities of the targets that are wanted.
    pub(super) requested: BTreeSet<Arc<str>>,
    /// What is no part of the plan any more.
    pub(super) unwanted: Vec<Unwanted>,
}

/// Chooses among the targets, and takes out of `found` what nothing that is wanted needs.
pub(super) fn choose(
    found: &mut BTreeMap<Arc<str>, Box<FoundModule>>,
    targets: &[ModuleRequest],
    instances: &Instances,
    wish: Wish<'_>,
) -> Result<Chosen, Failure> {
    let meant: BTreeMap<Arc<str>, bool> =
        targets.iter().map(|target| (target.identity(), target.is_one_of_all)).collect();
    let mut requested = BTreeSet::new();
    let (all, mut number) = (meant.len(), 0);
    for (identity, is_one_of_all) in meant {
        let is_wanted = match found.get(&identity) {
            Some(module) => {
                is_wanted(module, is_one_of_all, instances, wish)?
                    && wish.purpose.shard().is_none_or(|shard| {
                        number += 1;
                        shard.has(number - 1)
                    })
            }
            // It was left out, which is told.
            None => true,
        };
        if is_wanted {
            requested.insert(identity);
        }
    }
    let unwanted = match requested.len() == all {
        true => Vec::new(),
        false => take_unreached(found, &requested),
    };
    Ok(Chosen { requested, unwanted })
}

fn is_wanted(
    module: &FoundModule,
    is_one_of_all: bool,
    instances: &Instances,
    Wish { purpose, tags }: Wish<'_>,
) -> Result<bool, Failure> {
    let FoundModule { wanted, decl, .. } = module;
    let label = match (purpose, instances.get(&wanted.pkg)) {
        (Purpose::Tests(_), Some(pkg)) => label_of(&pkg.place, wanted, decl),
        _ => String::new(),
    };
    let is_test = decl.test.is_some();
    let candidate = Candidate { label: &label, is_test, tags: &decl.tags, is_one_of_all };
    Ok(purpose.wants(&candidate, tags)?)
}

fn take_unreached(
    found: &mut BTreeMap<Arc<str>, Box<FoundModule>>,
    requested: &BTreeSet<Arc<str>>,
) -> Vec<Unwanted> {
    let mut reached: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut open: Vec<Arc<str>> = requested.iter().cloned().collect();
    while let Some(identity) = open.pop() {
        let needs = found.get(&identity).map_or(&[][..], |module| &module.needs);
        let needs: Vec<Arc<str>> = needs.iter().map(|(_, need)| need.clone()).collect();
        if reached.insert(identity) {
            open.extend(needs);
        }
    }
    let (kept, taken): (BTreeMap<_, _>, BTreeMap<_, _>) =
        std::mem::take(found).into_iter().partition(|(identity, _)| reached.contains(identity));
    *found = kept;
    let unwanted = |module: Box<FoundModule>| {
        let FoundModule { wanted, reads, .. } = *module;
        Unwanted { pkg: wanted.pkg, reads }
    };
    taken.into_values().map(unwanted).collect()
}
