//! Placing the module's own files and those of its package.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use globset::GlobBuilder;
use wake_model::place::{LocalPath, is_foreign};
use wake_model::{BlobDigest, PkgKey, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::Conflict;
use wake_steps::{Input, OwnFiles, SourceFile};

use super::{Lowered, Site, text};
use crate::files::{FileState, link_inside};
use crate::instance::PkgInstance;
use crate::view::{Special, special};
use crate::written::JsonValue;

/// An entry that a package names.
pub(super) enum PackageEntry {
    /// A regular file.
    File {
        blob: BlobDigest,
        size: u64,
        executable: bool,
        /// Its content, if it was just read.
        bytes: Option<Vec<u8>>,
    },
    /// A symbolic link to something in the package, with its target.
    Link(String),
}

/// Large sets of files shared by the steps of one build: by package, and by digest of the names.
#[derive(Default)]
pub(crate) struct ManyOwnFiles(Mutex<BTreeMap<(PkgKey, BlobDigest), Slot>>);

/// A value computed once; other threads wait for it.
type Slot = Arc<Mutex<Option<Arc<ManyFiles>>>>;

/// A large set of files, and the entries among them that are not files.
struct ManyFiles {
    /// None if most entries are not files.
    files: Option<Arc<OwnFiles>>,
    rest: Vec<(RelPath, Input)>,
}

/// How many sets are kept. If each step has files of its own, keeping more would only cost memory.
const MOST_KEPT: usize = 64;

impl ManyOwnFiles {
    fn slot(&self, pkg: &PkgKey, patterns: &[&[String]]) -> Slot {
        let mut names = Vec::new();
        for pattern in patterns.iter().copied().flatten() {
            names.extend_from_slice(pattern.as_bytes());
            // A byte that occurs in no path.
            names.push(0);
        }
        let key = (pkg.clone(), BlobDigest::of(&names));
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST_KEPT && !slots.contains_key(&key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

/// Returns the top-level directory that contains what a pattern names.
fn top_of(pattern: &str) -> Option<&str> {
    Some(pattern.strip_prefix("./").unwrap_or(pattern).split_once('/')?.0)
}

impl<'a> Site<'a> {
    /// Places the package's files, or those that `pkgFiles` names. Large sets are shared between steps.
    pub(super) fn place_own_files(&mut self) -> Lowered<()> {
        let Some(patterns) = &self.module.decl.pkg_files else {
            return match self.pkg.files.len() < OwnFiles::MANY {
                true => self.place_each(self.pkg.files.iter()),
                false => self.place_many(&[]),
            };
        };
        // Steps that share a directory, such as `node_modules`, usually have other files that they do not share.
        let of_directories = patterns.chunk_by(|one, next| top_of(one) == top_of(next));
        let (mut many, mut few): (Vec<_>, Vec<_>) =
            of_directories.partition(|patterns| patterns.len() >= OwnFiles::MANY);
        if many.is_empty() && patterns.len() >= OwnFiles::MANY {
            (many, few) = (few, many);
        }
        if !many.is_empty() {
            self.place_many(&many)?;
        }
        few.into_iter().flatten().try_for_each(|pattern| {
            let chosen = self.matching(pattern)?;
            self.place_each(chosen.into_iter())
        })
    }

    fn place_each<'p>(&mut self, files: impl Iterator<Item = &'p RelPath>) -> Lowered<()> {
        for path in files {
            self.place_file_of(self.pkg, path, path.clone())?;
        }
        Ok(())
    }

    /// Places the many files that `patterns` name; without patterns, all of the package.
    fn place_many(&mut self, patterns: &[&[String]]) -> Lowered<()> {
        let slot = self.lowering.many.slot(&self.pkg.key, patterns);
        let mut known = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let many = match &*known {
            Some(many) => Arc::clone(many),
            None => Arc::clone(known.insert(Arc::new(self.look_at_many(patterns)?))),
        };
        drop(known);
        if let Some(own) = &many.files {
            let placed = self.inputs.place_own(Arc::clone(own));
            placed.map_err(|conflict| self.conflict(&conflict))?;
        }
        for (path, input) in &many.rest {
            self.put(path.clone(), input.clone())?;
        }
        Ok(())
    }

    fn look_at_many(&self, patterns: &[&[String]]) -> Lowered<ManyFiles> {
        let chosen = patterns.iter().copied().flatten().map(|pattern| self.matching(pattern));
        let chosen = chosen.collect::<Lowered<Vec<_>>>()?;
        let mut paths: BTreeSet<&RelPath> = chosen.into_iter().flatten().collect();
        if patterns.is_empty() {
            paths.extend(self.pkg.files.iter());
        }
        let (mut files, mut rest) = (Vec::new(), Vec::new());
        for path in paths {
            match self.input_of(self.pkg, path)? {
                Input::File(file) => files.push((path.clone(), file)),
                other => rest.push((path.clone(), other)),
            }
        }
        let own = OwnFiles::new(files.iter().cloned()).map(Arc::new);
        if own.is_none() {
            rest.extend(files.into_iter().map(|(path, file)| (path, Input::File(file))));
        }
        Ok(ManyFiles { files: own, rest })
    }

    /// Returns the files that a path, a directory or a glob matches; at least one.
    fn matching(&self, pattern: &str) -> Lowered<Vec<&'a RelPath>> {
        let chosen = self.named_by(pattern)?;
        if chosen.is_empty() {
            let message = format!("`{pattern}` in `pkgFiles` matches no file of the package");
            return Err(self.error(message, &JsonValue::from(pattern)));
        }
        Ok(chosen)
    }

    fn named_by(&self, pattern: &str) -> Lowered<Vec<&'a RelPath>> {
        if let Ok(path) = RelPath::parse(pattern) {
            let below = self.pkg.files_below(&path);
            if !below.is_empty() {
                return Ok(below.iter().collect());
            }
        }
        let glob =
            GlobBuilder::new(pattern.trim_start_matches("./")).literal_separator(true).build();
        let glob = glob.map_err(|e| {
            self.error(
                format!("`{pattern}` in `pkgFiles` is not a glob: {}", e.kind()),
                &JsonValue::Null,
            )
        })?;
        let matcher = glob.compile_matcher();
        Ok(self.pkg.files.iter().filter(|file| matcher.is_match(file.as_str())).collect())
    }

    /// Returns the entry at a path that `owner` names.
    pub(super) fn named(&self, owner: &PkgInstance, path: &RelPath) -> Lowered<PackageEntry> {
        let fetched = self.lowering.evaluator.files.fetch_in(&owner.place, path);
        let fetched = fetched.map_err(|e| Diagnostic::error(Class::Environment, e.to_string()))?;
        match fetched {
            (FileState::File { blob, size, executable }, bytes) => {
                Ok(PackageEntry::File { blob, size, executable, bytes })
            }
            (FileState::Link(target), _) if link_inside(path, &target).is_some() => {
                Ok(PackageEntry::Link(target))
            }
            // Most files were only glanced at when the package was instantiated.
            _ => Err(edited(&self.module.label, &owner.place.file_label(path.as_str()))),
        }
    }

    /// Places one file of `owner` at `at`.
    pub(super) fn place_file_of(
        &mut self,
        owner: &PkgInstance,
        path: &RelPath,
        at: RelPath,
    ) -> Lowered<()> {
        let input = self.input_of(owner, path)?;
        self.put(at, input)
    }

    /// Returns one file of `owner` as an input.
    fn input_of(&self, owner: &PkgInstance, path: &RelPath) -> Lowered<Input> {
        Ok(match self.named(owner, path)? {
            PackageEntry::File { blob, size, executable, bytes } => {
                let (base, below) = (owner.place.source_base(), path.clone());
                Input::File(SourceFile { base, below, blob, size, executable, bytes })
            }
            PackageEntry::Link(target) => Input::Link { target },
        })
    }

    /// Places an input at `at`, or returns the error that something is there.
    pub(super) fn put(&mut self, at: RelPath, input: Input) -> Lowered<()> {
        self.inputs.place(at, input).map_err(|conflict| self.conflict(&conflict))
    }

    /// Returns the error that two things would be at one path.
    pub(super) fn conflict(&self, conflict: &Conflict) -> Box<Diagnostic> {
        self.error(conflict.to_string(), &JsonValue::Null)
    }

    /// Places the file objects in the module's `files`: links, dumped values, files of others.
    pub(super) fn place_module_files(&mut self, files: &[JsonValue<'_>]) -> Lowered<()> {
        for file in files {
            match special(file) {
                Some(Special::File { path, from, dump, text }) => {
                    self.place_file(file, path, from, dump, text)?
                }
                _ => self.bring_referred(file)?,
            }
        }
        Ok(())
    }

    fn place_file(
        &mut self,
        file: &JsonValue<'_>,
        path: &str,
        from: &JsonValue<'_>,
        dump: bool,
        text: Option<&str>,
    ) -> Lowered<()> {
        if !dump && from.is_null() && text.is_none() {
            return self.bring(path, file, true);
        }
        let Some(LocalPath::Own(at)) = LocalPath::parse(path) else {
            return Err(self.error(format!("`{path}` is not one of this module's own paths"), file));
        };
        if is_foreign(&at) {
            return Err(
                self.error(format!("`{path}` is in `.wake`, which is reserved for wake"), file)
            );
        }
        if let Some(text) = text {
            self.inputs.place_bytes(&at, text.into());
            return Ok(());
        }
        if dump {
            self.bring_referred(from)?;
            self.inputs.place_bytes(&at, text::with_paths(from).into_bytes());
            return Ok(());
        }
        let target = match special(from) {
            Some(Special::Fetched { path, .. }) => {
                self.bring_fetched(from)?;
                let target = link_text(&at, path);
                return self.put(at, Input::Link { target });
            }
            Some(Special::File { path, .. } | Special::Pkg { path }) => path,
            Some(Special::Module { .. }) | None => {
                let help = "add `dump=true` to write the value itself as JSON";
                let error =
                    self.error(format!("`{path}` is made from a value that is not a file"), file);
                return Err(Box::new(error.help(help)));
            }
        };
        self.bring(target, from, true)?;
        let target = link_text(&at, target);
        self.put(at, Input::Link { target })
    }
}

/// Returns the error for a file that changed after its package was instantiated.
fn edited(label: &str, path: &str) -> Box<Diagnostic> {
    let message = format!("{label}: `{path}` changed while it was in use");
    let help = "a file was edited during the build: run the build again";
    Box::new(Diagnostic::error(Class::Action, message).help(help))
}

/// Returns the text of a link at `at` to `target`, both relative to the working directory.
fn link_text(at: &RelPath, target: &str) -> String {
    let up = "../".repeat(at.components().count().saturating_sub(1));
    let target = target.trim_start_matches("./").trim_end_matches('/');
    format!("{up}{target}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn links_climb_to_the_working_directory() {
        assert_eq!(link_text(&"a".parse().unwrap(), "./b/c"), "b/c");
        assert_eq!(
            link_text(&"x/y/a".parse().unwrap(), "./.wake/pkgs/@z@1.0.0/"),
            "../../.wake/pkgs/@z@1.0.0"
        );
    }
}
