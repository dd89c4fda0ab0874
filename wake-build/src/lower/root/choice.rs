//! What `rootfs` refers to.

use std::path::Path;

use wake_eval::Literal;
use wake_model::place::LocalPath;
use wake_model::{BlobDigest, Node, PkgKey, RelPath, TreeDigest, WareId};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::{Fetch, Root, TreeOrigin};
use wake_store::ware::Warehouse;

use super::import::ImportError;
use crate::instance::PkgInstance;
use crate::lower::own_files::PackageEntry;
use crate::lower::referred::origin_of;
use crate::lower::{Lowered, Site};
use crate::pkg_place::PkgPlace;
use crate::source_text::find_first;
use crate::view::{Special, special};
use crate::written::JsonValue;

impl Site<'_> {
    /// Returns the root file system that `rootfs` refers to, unless it is an image; fetched and unpacked if necessary.
    pub(in crate::lower) fn root(&self, rootfs: &JsonValue<'_>) -> Lowered<Root> {
        match rootfs {
            JsonValue::Null => Ok(Root::Host),
            JsonValue::Text(name) if name == "host" => Ok(Root::Host),
            JsonValue::Text(name) if name == "empty" => Ok(Root::Empty),
            other => match other.get("type").and_then(JsonValue::as_str) {
                Some("ware") => self.root_of_ware(other),
                Some("hostPackages") => self.root_of_packages(other),
                _ => self.root_at(other),
            },
        }
    }

    fn root_of_ware(&self, rootfs: &JsonValue<'_>) -> Lowered<Root> {
        let id = rootfs.get("ware").unwrap_or(&JsonValue::Null);
        let ware: WareId = id
            .as_str()
            .unwrap_or_default()
            .parse()
            .map_err(|error| self.root_error(format!("`rootfs`: {error}"), id))
            .map_err(|error| {
                Box::new(error.help("`wake ware pack` and `wake ware scan` print ids"))
            })?;
        let base = self.lowering.evaluator.files.absolute_in(&self.pkg.place, &RelPath::root());
        let mut from = Vec::new();
        let urls = match rootfs.get("warehouses") {
            Some(JsonValue::List(urls)) => urls.as_slice(),
            _ => &[],
        };
        for url in urls {
            let (text, route) = (url.as_str().unwrap_or_default(), self.lowering.store.route());
            let parsed = Warehouse::parse(text, ware.packtype(), &base, route);
            let wrong = |error| self.root_error(format!("`rootfs`: {error}"), url);
            from.push(parsed.map_err(wrong)?);
        }
        let tree = self
            .ware_tree(&Fetch { ware, from })
            .map_err(|error| self.not_imported("`rootfs`", &error, id))?;
        Ok(Root::Tree { tree, origin: TreeOrigin::Named })
    }

    /// Returns a directory or an archive, by reference.
    fn root_at(&self, rootfs: &JsonValue<'_>) -> Lowered<Root> {
        let Some(found) = special(rootfs) else {
            let message =
                "`rootfs` is neither `wake.HOST`, `wake.EMPTY`, a file, a directory nor a ware";
            return Err(self.root_error(message, rootfs));
        };
        if let Special::Fetched { .. } = found {
            return self.root_of_fetched(rootfs);
        }
        let path = found.path().unwrap_or_default();
        match LocalPath::parse(path) {
            Some(LocalPath::Own(below)) => self.root_of_files(self.pkg, &below, path, rootfs),
            Some(LocalPath::Pkg(key, below)) => {
                self.root_of_files(self.owner(&key, rootfs)?, &below, path, rootfs)
            }
            Some(LocalPath::Module(id, below)) => self.root_of_module(&id, &below, path, rootfs),
            None => Err(self.root_error(
                format!("`rootfs` is `{path}`, which is not a path inside the package"),
                rootfs,
            )),
        }
    }

    pub(super) fn owner(&self, key: &PkgKey, rootfs: &JsonValue<'_>) -> Lowered<&PkgInstance> {
        let owner = self.lowering.instances.get(key);
        let owner = owner.map(|pkg| &**pkg);
        owner.ok_or_else(|| {
            self.root_error(format!("there is no package `{key}` in this build"), rootfs)
        })
    }

    /// Returns an archive or a directory among the files of `owner`.
    fn root_of_files(
        &self,
        owner: &PkgInstance,
        below: &RelPath,
        path: &str,
        rootfs: &JsonValue<'_>,
    ) -> Lowered<Root> {
        let chosen = owner.files_below(below);
        let origin = origin_of(owner, below, chosen);
        match chosen.first() {
            Some(file) if file == below => {
                let PackageEntry::File { blob, .. } = self.named(owner, file)? else {
                    let message =
                        format!("`rootfs` is `{path}`, which is neither a file nor a directory");
                    return Err(self.root_error(message, rootfs));
                };
                let host = self.lowering.evaluator.files.absolute_in(&owner.place, file);
                let tree = self.archive(&host, &blob, path, rootfs)?;
                Ok(Root::Tree { tree, origin })
            }
            Some(_) => {
                let tree = self.pkg_tree(owner, below, chosen)?;
                Ok(Root::Tree { tree, origin })
            }
            None => {
                let owner = owner.place.label();
                let message =
                    format!("`rootfs` is `{path}`, which is not among the files of {owner}");
                Err(self.root_error(message, rootfs))
            }
        }
    }

    fn root_of_module(
        &self,
        id: &str,
        below: &RelPath,
        path: &str,
        rootfs: &JsonValue<'_>,
    ) -> Lowered<Root> {
        if let (None, Some(step)) = (self.module_done(id), self.promised(id)) {
            return Ok(Root::Output { step, below: below.clone() });
        }
        let Some((step, done)) = self.module_done(id) else {
            let message =
                format!("`{path}` belongs to a module that is not among this one's `modules`");
            return Err(self.root_error(message, rootfs));
        };
        if done.dir(below).is_some() {
            return Ok(Root::Output { step, below: below.clone() });
        }
        match done.manifest.get(below) {
            Some(Node::File { blob, .. }) => {
                let host = self.lowering.store.tree_place(&done.tree).join(below.as_str());
                let tree = self.archive(&host, blob, path, rootfs)?;
                Ok(Root::Tree { tree, origin: TreeOrigin::Archive(step) })
            }
            _ => {
                let message =
                    format!("`rootfs` is `{path}`, which is neither a directory nor a file");
                Err(self.root_error(message, rootfs))
            }
        }
    }

    fn archive(
        &self,
        host: &Path,
        blob: &BlobDigest,
        path: &str,
        rootfs: &JsonValue<'_>,
    ) -> Lowered<TreeDigest> {
        let lead = format!("`rootfs` is `{path}`");
        self.archive_tree(host, blob).map_err(|error| {
            let mut diagnostic = self.not_imported(&lead, &error, rootfs);
            // The digest matches: the mistake is to take the file for an archive.
            if diagnostic.class == Class::Integrity {
                diagnostic.class = Class::Evaluation;
            }
            diagnostic
        })
    }

    fn not_imported(
        &self,
        lead: &str,
        error: &ImportError,
        value: &JsonValue<'_>,
    ) -> Box<Diagnostic> {
        let text = error.to_string();
        // Each line is what one warehouse reported.
        let mut lines = text.lines().map(str::trim);
        let first = lines.next().unwrap_or_default();
        let mut diagnostic = self.root_error(format!("{lead}: {first}"), value);
        diagnostic.class = error.class();
        diagnostic.notes.extend(lines.map(str::to_owned));
        diagnostic.help.extend(error.help().map(str::to_owned));
        diagnostic
    }

    /// Returns an error about `value`; a plain text is located among the literals of the sources.
    pub(super) fn root_error(
        &self,
        message: impl Into<String>,
        value: &JsonValue<'_>,
    ) -> Box<Diagnostic> {
        let mut diagnostic = self.error(message, value);
        let text = value.as_str().or_else(|| value.get("path")?.as_str());
        if let (None, Some(text)) = (&diagnostic.place, text) {
            let literal = [Literal::Text(text.to_owned())];
            let files = self.lowering.evaluator.files;
            let written = |at: &PkgPlace| find_first(files, at, &self.module.reads, &literal);
            let own = self.lowering.instances.get(&self.module.pkg);
            diagnostic = Box::new(diagnostic.at(own.and_then(|own| written(&own.place))));
        }
        diagnostic
    }
}
