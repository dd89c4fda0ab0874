//! Ways from a package to the files of others that it imports.

use std::collections::BTreeMap;
use std::sync::Arc;

use wake_eval::{Library, Read, Way, named_digest};
use wake_model::place::PKG_FILE;
use wake_model::{BlobDigest, NameMap, PkgKey, RelPath};

use super::{Instances, PkgInstance};
use crate::evaluate::Evaluator;
use crate::pkg_place::PkgPlace;

/// Resolves the imports of one package.
#[derive(Clone, Copy)]
pub(crate) struct Ways<'a> {
    /// The packages.
    pub(crate) instances: &'a Instances,
    /// Its dependencies, by its own keys for them.
    pub(crate) deps: &'a NameMap<PkgKey>,
}

impl<'a> Ways<'a> {
    /// Returns the package at the end of a way, if it can be imported from.
    pub(crate) fn end(&self, way: &Way) -> Option<&'a PkgPlace> {
        let pkg = self.follow(way)?;
        pkg.offers(&way.path).then_some(&pkg.place)
    }

    /// Returns the digest of the file there.
    pub(crate) fn digest(&self, way: &Way, evaluator: &Evaluator) -> Option<BlobDigest> {
        evaluator.file(self.end(way)?, &way.path)
    }

    /// Returns a digest of the place of the dependency there; none if the package has no such key.
    pub(crate) fn named(&self, way: &Way) -> Option<BlobDigest> {
        let pkg = self.follow(way)?;
        let is_dir = match pkg.files_below(&way.path) {
            [] => return None,
            [file] if *file == way.path => false,
            [..] => true,
        };
        Some(named_digest(pkg.key.as_str(), is_dir))
    }

    /// Returns the name of the file there, for messages.
    pub(crate) fn label(&self, way: &Way) -> Option<String> {
        Some(self.follow(way)?.place.file_label(way.path.as_str()))
    }

    /// Returns what can be imported from the package `key`, as JSON text.
    pub(crate) fn library(&self, key: &str, evaluator: &Evaluator) -> Option<Arc<str>> {
        let pkg = self.instances.get(key)?;
        let library = Library {
            root: evaluator.files.absolute_in(&pkg.place, &RelPath::root()),
            files: pkg.files.to_vec(),
            sources: pkg.sources().to_vec(),
            imports: pkg.imports.clone(),
            pkgs: pkg.deps.iter().map(keyed).collect::<BTreeMap<_, _>>(),
        };
        serde_json::to_string(&library).ok().map(Into::into)
    }

    fn follow(&self, way: &Way) -> Option<&'a PkgInstance> {
        let mut deps = self.deps;
        let mut found = None;
        for key in &way.keys {
            let pkg: &PkgInstance = self.instances.get(deps.get(key)?)?;
            (deps, found) = (&pkg.deps, Some(pkg));
        }
        found
    }
}

fn keyed((key, pkg): (&String, &PkgKey)) -> (String, String) {
    (key.clone(), pkg.to_string())
}

impl PkgInstance {
    /// Returns where its imports lead.
    pub(crate) fn ways<'a>(&'a self, instances: &'a Instances) -> Ways<'a> {
        Ways { instances, deps: &self.deps }
    }

    /// Returns whether others may import the file at `path`.
    fn offers(&self, path: &RelPath) -> bool {
        self.names(path) || self.sources().binary_search(path).is_ok()
    }

    /// Returns the sorted files that belong to it without being named: its own file and the imports of that, and the files of
    /// its modules.
    fn sources(&self) -> &[RelPath] {
        self.sources.get_or_init(|| {
            let read = |read: &Read| match read {
                Read::File { path, digest: Some(_) } => Some(path.clone()),
                _ => None,
            };
            let modules = self.modules.values().filter_map(|at| at.file().cloned());
            let mut files: Vec<RelPath> = RelPath::parse(PKG_FILE).into_iter().collect();
            files.extend(self.reads.iter().filter_map(read));
            files.extend(modules);
            files.sort_unstable();
            files.dedup();
            files.into()
        })
    }
}
