//! The modules that targets name.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use wake_model::nearest::nearest;
use wake_model::{PkgKey, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::config_text;
use crate::evaluate::Evaluator;
use crate::instance::Instances;
use crate::pkg_place::PkgPlace;
use crate::plan::{ModuleRequest, ModuleStep, Wish, plan};
use crate::purpose::{Purpose, TagSelection};
use crate::target::{Target, TargetConfig};

/// Removes duplicates, preferring modules that a target names.
pub(super) fn by_name_first(mut wanted: Vec<ModuleRequest>) -> Vec<ModuleRequest> {
    let by_name = wanted.iter().filter(|module| !module.is_one_of_all);
    let by_name: HashSet<Arc<str>> = by_name.map(ModuleRequest::identity).collect();
    if !by_name.is_empty() {
        wanted.retain(|module| !module.is_one_of_all || !by_name.contains(&module.identity()));
    }
    wanted
}

/// Returns the place of a target's package, if it is in the checkout.
pub(super) fn place_of(target: &Target) -> Option<PkgPlace> {
    target.stored.is_none().then(|| PkgPlace::Checkout(target.pkg.clone()))
}

pub(super) fn module_label(target: &Target, module: &str) -> String {
    format!("{}:{module}", target.pkg_label())
}

/// Returns the directories of the targets' packages, each once.
pub(super) fn dirs_of(targets: &[Target]) -> Vec<RelPath> {
    let mut seen = BTreeSet::new();
    let new = targets.iter().map(|target| &target.pkg).filter(|dir| seen.insert(*dir));
    new.cloned().collect()
}

pub(super) fn modules_of(
    target: &Target,
    by_place: &BTreeMap<PkgPlace, PkgKey>,
    instances: &Instances,
    config: Option<&TargetConfig>,
) -> Result<Vec<ModuleRequest>, Diagnostic> {
    let pkg = match (&target.stored, place_of(target)) {
        (Some(key), _) => Some(instances.get(key).ok_or_else(|| not_needed(key, instances))?),
        (None, place) => place.and_then(|place| instances.get(by_place.get(&place)?)),
    };
    let pkg = match &target.dependency {
        Some(key) => pkg.and_then(|pkg| instances.get(pkg.dep(key)?)),
        None => pkg,
    };
    let Some(pkg) = pkg else { return Ok(Vec::new()) };
    let config = match &target.configured {
        Some(_) if config.is_some() => {
            let message = "a target with a configuration cannot be combined with `--config`";
            return Err(Diagnostic::error(Class::Usage, message));
        }
        Some(text) => config_text::read(text).map(TargetConfig::Whole),
        None => config.cloned(),
    };
    let merge = matches!(config, Some(TargetConfig::Keys(_)));
    let config = config.map(TargetConfig::into_value);
    let wanted = |module: &String| ModuleRequest {
        pkg: pkg.key.clone(),
        module: module.clone(),
        config: config.clone(),
        merge,
        is_one_of_all: target.module.is_none(),
    };
    match &target.module {
        Some(module) => Ok(vec![wanted(module)]),
        // The parts of a module are built with it.
        None => Ok(pkg.modules.keys().filter(|name| !name.contains('.')).map(wanted).collect()),
    }
}

/// Returns the error for a package in the store that nothing depends on.
fn not_needed(key: &PkgKey, instances: &Instances) -> Diagnostic {
    let label = key.label();
    let message = format!("no package of the workspace depends on `{label}`");
    let stored: Vec<String> = instances
        .values()
        .filter(|pkg| pkg.place.dir().is_none())
        .map(|pkg| pkg.place.label())
        .collect();
    let diagnostic = Diagnostic::error(Class::Usage, message);
    match nearest(&label, stored.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("run `wake tree` to see which packages are needed"),
    }
}

/// Returns the configuration of one of `modules` that `text` refers to, if a module of the workspace depends on it.
pub(super) fn searched(
    text: &str,
    target: &Target,
    modules: &[ModuleRequest],
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<ModuleRequest, Failure> {
    let all = instances.values().flat_map(|pkg| {
        pkg.modules.keys().map(|module| ModuleRequest {
            pkg: pkg.key.clone(),
            module: module.clone(),
            config: None,
            merge: false,
            is_one_of_all: true,
        })
    });
    let (purpose, tags) = (&Purpose::Everything, &TagSelection::default());
    let planned = plan(instances, all.collect(), Wish { purpose, tags }, evaluator)?;
    let of_module = |step: &ModuleStep| modules.iter().any(|asked| step.is_of(asked));
    let mut steps = planned.graph.node_weights().filter(|step| of_module(step));
    if let Some(step) = steps.find(|step| step.is_configured(text)) {
        return Ok(step.request());
    }
    let label = module_label(target, target.module.as_deref().unwrap_or_default());
    let asked = format!("{label} {text}");
    let message = format!("no module of the workspace depends on `{asked}`");
    let known = planned.graph.node_weights().filter(|step| of_module(step));
    let near = nearest(&asked, known.map(|step| step.label.as_str()));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "run `wake graph //...` to see every module with its configurations".to_owned(),
    };
    Err(Diagnostic::error(Class::Usage, message).help(help).into())
}
