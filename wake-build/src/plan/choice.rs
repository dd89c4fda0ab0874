//! Selecting the wanted modules among those that targets name, once it is known what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wake_eval::Read;
use wake_model::PkgKey;
use wake_steps::diagnostic::Failure;

use super::search::FoundModule;
use super::{ModuleRequest, label_of};
use crate::instance::Instances;
use crate::purpose::{Candidate, Purpose, TagSelection};

/// The selection criteria.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The purpose of the build.
    pub(crate) purpose: &'a Purpose,
    /// The tags.
    pub(crate) tags: &'a TagSelection,
}

/// A module that matches a pattern but was not selected; it had to be evaluated to know that.
#[derive(Debug)]
pub(crate) struct Unwanted {
    /// Its package.
    pub(crate) pkg: PkgKey,
    /// The files and directories that its evaluation read.
    pub(crate) reads: Vec<Read>,
}

/// The selection.
pub(super) struct Chosen {
    /// The identities of the selected targets.
    pub(super) requested: BTreeSet<Arc<str>>,
    /// The modules that are no longer part of the plan.
    pub(super) unwanted: Vec<Unwanted>,
}

/// Selects among the targets, and removes from `found` what no selected target needs.
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
            // It was left out, which is reported.
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
