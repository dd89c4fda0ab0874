//! Making the result links of a build.

use std::collections::HashSet;
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

impl Session {
    /// Makes links below `out` lead to trees, and says which could not be made, by their numbers.
    pub(super) fn link_all(
        &self,
        out: &Path,
        links: &[(String, PathBuf)],
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) -> HashSet<usize> {
        if links.is_empty() {
            return HashSet::new();
        }
        self.register_links(out, reporter);
        // Where this fails, each link says so.
        let _ = std::fs::create_dir_all(out);
        let failed: Vec<_> = self.machine.threads().install(|| {
            let make =
                |linker: &mut Linker, (number, (name, target)): (usize, &(String, PathBuf))| {
                    Some((number, linker.link(Path::new(name), target).err()?))
                };
            let links = links.par_iter().enumerate().with_min_len(64);
            links.map_init(|| Linker::new(out), make).flatten_iter().collect()
        });
        for (number, error) in &failed {
            let link = out.join(&links[*number].0);
            let message = format!("cannot link `{}`: {error}", link.display());
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
        let dir = self.workspace.root.join(PKGS_DIR);
        self.link_all(&dir, &links, reporter, ending);
        for old in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if !old.file_name().to_str().is_some_and(|key| locked.has(key)) {
                // What stays keeps a tree that nobody needs.
                let _ = std::fs::remove_file(old.path());
            }
        }
    }

    /// Lets garbage collection know that links will be made below `out`.
    fn register_links(&self, out: &Path, reporter: &mut dyn Reporter) {
        if let Err(error) = self.store().register_root(out) {
            reporter.event(&Event::Diagnostic(Box::new(warning(store_failure(&error)))));
        }
    }
}
