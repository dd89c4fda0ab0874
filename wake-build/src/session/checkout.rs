//! The state of the checkout, and loading, resolving and planning from it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use wake_model::{PkgKey, PkgSource, RelPath};
use wake_steps::diagnostic::{Diagnostic, Failure};
use wake_steps::history::History;

use super::modules::{by_name_first, dirs_of, module_label, modules_of, place_of, searched};
use super::{LockUse, Session};
use crate::config_text;
use crate::evaluate::{EvalCounts, Evaluator};
use crate::files::Files;
use crate::instance::{Instances, instantiate};
use crate::load::{LoadResult, Loaded, load, load_as_found};
use crate::locked::LockedPkgs;
use crate::options::BuildOptions;
use crate::pkg_place::PkgPlace;
use crate::plan::{ModuleRequest, PlannedBuild, Wish, plan};
use crate::resolve::{Resolution, resolve};
use crate::target::{Target, TargetConfig, TargetPackages, TargetPattern, find};

/// Counts evaluators.
static EPOCHS: AtomicU64 = AtomicU64::new(0);

/// A session with the state of its checkout.
pub(crate) struct Checkout<'a> {
    pub(crate) session: &'a Session,
    pub(crate) files: Files<'a>,
    pub(crate) locked: LockedPkgs<'a>,
    pub(crate) history: History,
}

impl Checkout<'_> {
    pub(crate) fn evaluator(&self) -> Evaluator<'_> {
        let Session { pool, machine, .. } = self.session;
        let epoch = EPOCHS.fetch_add(1, Ordering::Relaxed);
        let (store, profile, tally) = (machine.store(), machine.profile(), EvalCounts::default());
        let spare = self.session.spare_dir();
        let options = BuildOptions::new(&self.session.chosen);
        Evaluator { pool, store, files: &self.files, spare, options, epoch, tally, profile }
    }

    /// Returns whether versions have to be chosen, or retrievers asked, before anything can be built.
    pub(crate) fn is_to_be_made_ready(&self) -> bool {
        let may_retrieve = match self.session.lock_use {
            LockUse::MayChange => true,
            // Locked packages may be retrieved again.
            LockUse::AsItIs => !self.locked.is_unmet(),
        };
        self.session.may_choose() && self.locked.leaves_a_choice()
            || may_retrieve && self.locked.is_to_be_retrieved()
    }

    /// Loads, resolves, instantiates and plans what `patterns` name.
    pub(crate) fn plan(
        &self,
        evaluator: &Evaluator,
        patterns: &[TargetPattern],
        config: Option<&TargetConfig>,
        wish: Wish<'_>,
        keep_going: bool,
    ) -> Result<PlannedBuild, Failure> {
        self.session.machine.threads().install(|| {
            let profile = self.session.profile();
            let (TargetPackages { mut targets, walked }, mut result) =
                self.find_and_load(evaluator, patterns)?;
            let left_out = result.errors();
            if !left_out.is_empty() && self.is_to_be_made_ready() {
                return Err(Failure { diagnostics: left_out });
            }
            if !left_out.is_empty() {
                let is_whole =
                    |target: &Target| place_of(target).is_some_and(|place| result.is_whole(&place));
                targets.retain(is_whole);
                if !keep_going || targets.is_empty() {
                    return Err(Failure { diagnostics: left_out });
                }
                result = self.load(evaluator, &targets);
            }
            let places = self.places(&targets)?;
            let (by_place, mut instances) = self.instantiate(evaluator, result.loaded, &places)?;
            let _span = profile.stage("plan modules");
            let mut wanted = Vec::new();
            for target in &targets {
                let modules = modules_of(target, &by_place, &instances, config)?;
                match (&target.configured, target.is_searched()) {
                    (Some(text), true) => {
                        let past = || self.remembered(text, target, &modules);
                        wanted.push(match past() {
                            Some(request) => request,
                            None => searched(text, target, &modules, &instances, evaluator)?,
                        });
                    }
                    _ => wanted.extend(modules),
                }
            }
            let plan = plan(&instances, by_name_first(wanted), wish, evaluator)?;
            evaluator.check_options()?;
            instances.values_mut().for_each(|pkg| pkg.put_away());
            let root_reads = evaluator.options.reads().to_vec();
            Ok(PlannedBuild { instances, plan, left_out, walked, root_reads })
        })
    }

    /// Resolves and instantiates what was loaded for the packages at `places`.
    pub(crate) fn instantiate(
        &self,
        evaluator: &Evaluator,
        loaded: Loaded,
        places: &[PkgPlace],
    ) -> Result<(BTreeMap<PkgPlace, PkgKey>, Instances), Failure> {
        let profile = self.session.profile();
        let root = PkgPlace::Checkout(RelPath::root());
        let roots = match loaded.contains_key(&root) {
            true => &[root][..],
            false => places,
        };
        let span = profile.stage("resolve");
        evaluator.put_away();
        let Resolution { by_place, pkgs, order } = resolve(loaded, roots, evaluator)?;
        drop(span);
        let _span = profile.stage("instantiate");
        let instances = instantiate(&order, pkgs, evaluator)?;
        evaluator.put_away();
        Ok((by_place, instances))
    }

    /// Finds the targets, and loads their packages at the same time.
    fn find_and_load(
        &self,
        evaluator: &Evaluator,
        patterns: &[TargetPattern],
    ) -> Result<(TargetPackages, LoadResult), Diagnostic> {
        let profile = self.session.profile();
        let workspace = &self.session.workspace;
        let span = profile.stage("load");
        let (found, result) = load_as_found(workspace, evaluator, &self.locked, |heard| {
            let _span = profile.stage("find targets");
            let found = find(workspace, patterns, heard)?;
            let dirs = self.dirs_to_load(&found.targets)?;
            Ok::<_, Diagnostic>((found, dirs))
        })?;
        drop(span);
        let dirs = self.dirs_to_load(&found.targets)?;
        let result = self.with_globals(evaluator, dirs, result);
        Ok((found, result))
    }

    /// Returns the configuration that was built here before under the label `text`, which can be digits of its link.
    fn remembered(
        &self,
        text: &str,
        target: &Target,
        modules: &[ModuleRequest],
    ) -> Option<ModuleRequest> {
        let [asked] = modules else { return None };
        let label = module_label(target, &asked.module);
        let configured =
            |past: &str| past.strip_prefix(&*label)?.strip_prefix(' ').map(str::to_owned);
        let mut known = self.history.labels().filter_map(configured);
        let config = config_text::read(&known.find(|own| config_text::is_same(text, own))?)?;
        Some(ModuleRequest { config: Some(config), ..asked.clone() })
    }

    /// Returns the packages that are not dependencies: those of the targets, or all members if a target is in the store.
    fn places(&self, targets: &[Target]) -> Result<Vec<PkgPlace>, Diagnostic> {
        let dirs = match targets.iter().any(|target| target.stored.is_some()) {
            true => self.dirs_to_load(targets)?,
            false => dirs_of(targets),
        };
        Ok(dirs.into_iter().map(PkgPlace::Checkout).collect())
    }

    /// Returns the directories of the targets' packages, and of overrides, so that errors in them are reported; or of all
    /// packages, if a target has to be searched for.
    fn dirs_to_load(&self, targets: &[Target]) -> Result<Vec<RelPath>, Diagnostic> {
        let workspace = &self.session.workspace;
        match targets.iter().any(Target::is_anywhere) {
            true => workspace.locked_for(),
            false => {
                let mut dirs = dirs_of(targets);
                dirs.extend(workspace.settings.overrides.dirs().cloned());
                Ok(dirs)
            }
        }
    }

    /// Returns the directories of the packages that `targets` name, each once, and these packages with all dependencies.
    pub(crate) fn load_named(
        &self,
        evaluator: &Evaluator,
        targets: &[TargetPattern],
    ) -> Result<(Vec<RelPath>, Loaded), Failure> {
        let workspace = &self.session.workspace;
        let dirs = dirs_of(&find(workspace, targets, &mut |_| {})?.targets);
        let load = || load(workspace, evaluator, &self.locked, &dirs);
        let result = self.session.machine.threads().install(load);
        Ok((dirs, loaded_well(result)?))
    }

    /// The same, with the package that defines the globals that they take.
    pub(crate) fn load_with_globals(
        &self,
        evaluator: &Evaluator,
        targets: &[TargetPattern],
    ) -> Result<(Vec<RelPath>, Loaded), Failure> {
        let targets = find(&self.session.workspace, targets, &mut |_| {})?.targets;
        let load = || self.load(evaluator, &targets);
        let result = self.session.machine.threads().install(load);
        Ok((dirs_of(&targets), loaded_well(result)?))
    }

    /// Loads the targets' packages.
    fn load(&self, evaluator: &Evaluator, targets: &[Target]) -> LoadResult {
        let _span = self.session.profile().stage("load");
        let dirs = dirs_of(targets);
        let result = load(&self.session.workspace, evaluator, &self.locked, &dirs);
        self.with_globals(evaluator, dirs, result)
    }

    /// Also loads the root package if one of the packages at `dirs` takes something from the global namespace, which the
    /// root package defines.
    fn with_globals(
        &self,
        evaluator: &Evaluator,
        mut dirs: Vec<RelPath>,
        result: LoadResult,
    ) -> LoadResult {
        let workspace = &self.session.workspace;
        let takes_global = |get: &wake_model::GetPkg| get.from == PkgSource::Global;
        let open = result.loaded.values().any(|pkg| pkg.decl.pkgs.values().any(takes_global));
        let root = RelPath::root();
        let is_loaded = result.loaded.contains_key(&PkgPlace::Checkout(root.clone()));
        if !open || is_loaded || !workspace.is_pkg(&root) {
            return result;
        }
        dirs.push(root);
        load(workspace, evaluator, &self.locked, &dirs)
    }
}

fn loaded_well(mut result: LoadResult) -> Result<Loaded, Failure> {
    let errors = result.errors();
    match errors.is_empty() {
        true => Ok(result.loaded),
        false => Err(Failure { diagnostics: errors }),
    }
}
