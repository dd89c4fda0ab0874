//! Placing what belongs to the module itself: its package's files and its own.

use globset::GlobBuilder;
use wake_model::place::{LocalPath, is_foreign};
use wake_model::{BlobDigest, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::Conflict;
use wake_steps::{Input, SourceFile};

use super::{Lowered, Site, text};
use crate::files::{FileState, link_inside};
use crate::instance::PkgInstance;
use crate::view::{Special, special};
use crate::written::JsonValue;

/// What a package names.
pub(super) enum PackageEntry {
    /// A regular file.
    File {
        blob: BlobDigest,
        size: u64,
        executable: bool,
        /// Its bytes, if they were just read.
        bytes: Option<Vec<u8>>,
    },
    /// A symbolic link that leads to something in the package, by its text.
    Link(String),
}

impl<'a> Site<'a> {
    /// The package's files, or those that `pkgFiles` names.
    pub(super) fn place_own_files(&mut self) -> Lowered<()> {
        let Some(patterns) = &self.module.decl.pkg_files else {
            for path in &self.pkg.files {
                self.place_file_of(self.pkg, path, path.clone())?;
            }
            return Ok(());
        };
        for pattern in patterns {
            let chosen = self.matching(pattern)?;
            if chosen.is_empty() {
                let message =
                    format!("`{pattern}` in `pkgFiles` matches none of the package's files");
                return Err(self.error(message, &JsonValue::from(pattern.as_str())));
            }
            for path in chosen {
                self.place_file_of(self.pkg, path, path.clone())?;
            }
        }
        Ok(())
    }

    /// A path, a directory or a glob.
    fn matching(&self, pattern: &str) -> Lowered<Vec<&'a RelPath>> {
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

    /// What lies at a path that `owner` names.
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
            // Most were only glanced at when the package was instantiated.
            _ => Err(edited(&self.module.label, &owner.place.file_label(path.as_str()))),
        }
    }

    /// Puts one file of `owner` at `at`.
    pub(super) fn place_file_of(
        &mut self,
        owner: &PkgInstance,
        path: &RelPath,
        at: RelPath,
    ) -> Lowered<()> {
        let input = match self.named(owner, path)? {
            PackageEntry::File { blob, size, executable, bytes } => {
                let (base, below) = (owner.place.source_base(), path.clone());
                Input::File(SourceFile { base, below, blob, size, executable, bytes })
            }
            PackageEntry::Link(target) => Input::Link { target },
        };
        self.put(at, input)
    }

    /// Puts something at `at`, or says what lies there already.
    pub(super) fn put(&mut self, at: RelPath, input: Input) -> Lowered<()> {
        self.inputs.place(at, input).map_err(|conflict| self.conflict(&conflict))
    }

    /// Says that two things would lie at one path.
    pub(super) fn conflict(&self, conflict: &Conflict) -> Box<Diagnostic> {
        self.error(conflict.to_string(), &JsonValue::Null)
    }

    /// The file objects of the module's `files`: links, dumped values, things of others.
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
            return Err(self.error(format!("`{path}` is not a path of this module's own"), file));
        };
        if is_foreign(&at) {
            return Err(
                self.error(format!("`{path}` lies in `.wake`, which belongs to wake"), file)
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
                let help = "a link needs a file: add `dump=true` to write the value itself as JSON";
                let error =
                    self.error(format!("`{path}` is made from a value that is no file"), file);
                return Err(Box::new(error.help(help)));
            }
        };
        self.bring(target, from, true)?;
        let target = link_text(&at, target);
        self.put(at, Input::Link { target })
    }
}

/// A file that is not any more what it was when its package was instantiated.
fn edited(label: &str, path: &str) -> Box<Diagnostic> {
    let message = format!("{label}: `{path}` changed while it was in use");
    let help = "a file was edited during the build: run it again";
    Box::new(Diagnostic::error(Class::Action, message).help(help))
}

/// The text of a link at `at` that leads to `target`, both as seen from the working directory.
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
