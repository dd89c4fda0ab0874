//! Creating the result links of a build.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use wake_model::{PkgKey, RelPath};

use super::{LinkPolicy, warning};
use crate::links::{Linker, PKGS_DIR, follower, sweep};
use crate::locked::LockedPkgs;
use crate::pkg_place::PkgPlace;
use crate::plan::PlannedBuild;
use crate::session::Session;
use wake_steps::BatchResult;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;
use wake_steps::event::{Event, Reporter};
use wake_store::ConfinedPath;

impl Session {
    /// Creates links below `out` to trees, and returns the numbers of those that could not be created.
    pub(super) fn link_all(
        &self,
        out: &ConfinedPath,
        links: &[(String, PathBuf)],
        policy: LinkPolicy,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) -> HashSet<usize> {
        if links.is_empty() {
            return HashSet::new();
        }
        self.register_links(&out.path(), reporter);
        let opened = match out.make_dir() {
            Ok(opened) => opened,
            Err(error) => {
                let message = format!("cannot create links below `{}`: {error}", below(out));
                tell_unlinked(message, policy, reporter, ending);
                return (0..links.len()).collect();
            }
        };
        let failed: Vec<_> = self.machine.threads().install(|| {
            let make =
                |linker: &mut Linker, (number, (name, target)): (usize, &(String, PathBuf))| {
                    Some((number, linker.link(Path::new(name), target).err()?))
                };
            let links = links.par_iter().enumerate().with_min_len(64);
            links.map_init(|| Linker::new(&opened), make).flatten_iter().collect()
        });
        for (number, error) in &failed {
            let message = format!("cannot link `{}/{}`: {error}", below(out), links[*number].0);
            tell_unlinked(message, policy, reporter, ending);
        }
        failed.into_iter().map(|(number, _)| number).collect()
    }

    /// Creates links to the packages in the store, which garbage collection keeps while they are locked.
    pub(super) fn link_pkgs(
        &self,
        planned: &PlannedBuild,
        locked: &LockedPkgs<'_>,
        policy: LinkPolicy,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) {
        let link = |pkg: &PkgPlace| match pkg {
            PkgPlace::Store(pkg) => Some((pkg.key.to_string(), pkg.stored.path.clone())),
            PkgPlace::Checkout(_) => None,
        };
        let places = planned.instances.values().map(|pkg| &pkg.place);
        let links: Vec<(String, PathBuf)> = places.filter_map(link).collect();
        if links.is_empty() {
            return;
        }
        let dir = self.workspace.dir.join(PKGS_DIR);
        self.link_all(&dir, &links, policy, reporter, ending);
        let is_old = |name: &OsStr| !name.to_str().is_some_and(|key| locked.has(key));
        for old in dir.entries(is_old).unwrap_or_default().into_iter().filter(|old| old.is_link) {
            // A leftover link only keeps an unneeded tree.
            let _ = dir.join(old.name).remove_file();
        }
    }

    /// Removes links to results of modules and packages that no longer exist.
    pub(super) fn sweep_links(&self, planned: &PlannedBuild, locked: &LockedPkgs<'_>) {
        let Ok(out) = self.out_dir().open_dir() else { return };
        let here = planned.instances.values();
        let here = here.filter_map(|pkg| Some((pkg.place.dir()?, &pkg.modules)));
        let modules: HashMap<&RelPath, _> = here.collect();
        sweep(&out, self.store().root(), &|dir, module| {
            let dir = dir.to_str().map(|dir| match dir {
                "" => Ok(RelPath::root()),
                dir => RelPath::parse(dir),
            });
            let Some(Ok(dir)) = dir else { return true };
            match modules.get(&dir) {
                Some(modules) => modules.get(module).is_some(),
                // Its modules are not known.
                None => {
                    let key = || PkgKey::of_label(dir.as_str());
                    self.workspace.is_pkg(&dir) || key().is_some_and(|key| !locked.lacks(&key))
                }
            }
        });
    }

    /// Registers `out` with garbage collection before links are created in it.
    fn register_links(&self, out: &Path, reporter: &mut dyn Reporter) {
        if let Err(error) = self.store().register_root(out) {
            reporter.event(&Event::Diagnostic(Box::new(warning(store_failure(&error)))));
        }
    }
}

/// Returns the plain links that must follow the links of configurations among `links`, because they point there now.
pub(super) fn followers(out: &ConfinedPath, links: &[(String, PathBuf)]) -> Vec<(String, PathBuf)> {
    if !links.iter().any(|(name, _)| name.contains('@')) {
        return Vec::new();
    }
    let Ok(opened) = out.open_dir() else { return Vec::new() };
    let follower = |(name, to): &(String, PathBuf)| Some((follower(&opened, name)?, to.clone()));
    links.iter().filter_map(follower).collect()
}

/// Reports a link that could not be created; the build fails if it needs one.
fn tell_unlinked(
    message: String,
    policy: LinkPolicy,
    reporter: &mut dyn Reporter,
    ending: &mut BatchResult,
) {
    let diagnostic = Diagnostic::error(Class::Environment, message);
    let diagnostic = match policy {
        LinkPolicy::Always => diagnostic,
        LinkPolicy::Never | LinkPolicy::IfPossible => warning(diagnostic),
    };
    if policy == LinkPolicy::Always {
        ending.classes.push(Class::Environment);
    }
    reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
}

/// Returns the directory relative to the root of the workspace.
fn below(dir: &ConfinedPath) -> std::path::Display<'_> {
    dir.below().display()
}
