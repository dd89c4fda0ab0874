//! Making the result links of a build.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::warning;
use crate::links::{Linker, PKGS_DIR};
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
    /// Makes links below `out` lead to trees, and says which could not be made, by their numbers.
    pub(super) fn link_all(
        &self,
        out: &ConfinedPath,
        links: &[(String, PathBuf)],
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
                let message = format!("nothing can be linked below `{}`: {error}", below(out));
                ending.classes.push(Class::Environment);
                let diagnostic = Diagnostic::error(Class::Environment, message);
                reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
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
            ending.classes.push(Class::Environment);
            let diagnostic = Diagnostic::error(Class::Environment, message);
            reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
        }
        failed.into_iter().map(|(number, _)| number).collect()
    }

    /// Makes links to the packages that lie in the store, so that garbage collection keeps them as long as they are locked.
    pub(super) fn link_pkgs(
        &self,
        planned: &PlannedBuild,
        locked: &LockedPkgs,
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
        self.link_all(&dir, &links, reporter, ending);
        let is_old = |name: &OsStr| !name.to_str().is_some_and(|key| locked.has(key));
        for old in dir.entries(is_old).unwrap_or_default().into_iter().filter(|old| old.is_link) {
            // What stays keeps a tree that nobody needs.
            let _ = dir.join(old.name).remove_file();
        }
    }

    /// Lets garbage collection know that links will be made below `out`.
    fn register_links(&self, out: &Path, reporter: &mut dyn Reporter) {
        if let Err(error) = self.store().register_root(out) {
            reporter.event(&Event::Diagnostic(Box::new(warning(store_failure(&error)))));
        }
    }
}

/// The directory as it is called from the root of the workspace.
fn below(dir: &ConfinedPath) -> std::path::Display<'_> {
    dir.below().display()
}
