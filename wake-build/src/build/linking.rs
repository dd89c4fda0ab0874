//! Making the result links of a build.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Ending, warning};
use crate::diagnostic::{Class, Diagnostic};
use crate::event::{Event, Reporter};
use crate::execute::store_failure;
use crate::links::link;
use crate::session::Session;

impl Session {
    /// Makes links below `out` lead to trees, and says which could not be made, by their numbers.
    pub(super) fn link_all(
        &self,
        out: &Path,
        links: &[(String, PathBuf)],
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> HashSet<usize> {
        if links.is_empty() {
            return HashSet::new();
        }
        if let Err(error) = self.store.register_root(out) {
            reporter.event(&Event::Diagnostic(Box::new(warning(store_failure(&error)))));
        }
        let failed: Vec<_> = self.threads.install(|| {
            let make = |(name, target): &(String, PathBuf)| link(out, Path::new(name), target);
            let links = links.par_iter().enumerate().with_min_len(32);
            links.filter_map(|(number, link)| Some((number, make(link).err()?))).collect()
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
}
