//! Taking a retriever's output: each package is reduced to its file set, compared, and put into the store.

use std::sync::Arc;

use wake_eval::{NoAnswers, Op};
use wake_model::declared::PackageDecl;
use wake_model::lock::LockSource;
use wake_model::place::PKG_FILE;
use wake_model::{LockedPkg, Manifest, Node, PkgKey, RelPath, TreeDigest, Version};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_store::StoredTree;
use wake_store::ware::ArchivePolicy;

use super::call::{Asked, Call};
use super::perform::{Left, OUT};
use super::protocol::{AnswerError, PkgAnswer, PkgWanted, read_answers};
use crate::evaluate::Evaluator;
use crate::file_set::{FileSet, NamedFiles, bring_together, file_set, is_jsonnet};
use crate::files::FileState;
use crate::pkg_place::{PkgPlace, StoredPkg};
use crate::resolve::Outline;

/// A package in a retriever's output.
struct Draft<'a> {
    call: &'a Call,
    wanted: &'a PkgWanted,
    /// The path, as the retriever gave it.
    path: &'a str,
    place: PkgPlace,
    manifest: Manifest,
}

/// Takes the packages in a call's output; returns all errors.
pub(super) fn take(
    call: &Call,
    left: &Left,
    outline: &Outline<'_>,
    evaluator: &Evaluator<'_>,
) -> Result<Vec<LockedPkg>, Failure> {
    let label = call.label();
    let at = || call.written_at(outline);
    let answers = read_answers(&left.stdout).map_err(|error| {
        let diagnostic = Diagnostic::error(Class::Action, format!("{label} {error}")).at(at());
        match error {
            AnswerError::Form { beginning, .. } => diagnostic.note(format!("it begins: {beginning}")),
            _ => diagnostic,
        }
        .help("it must write `{\"pkgs\": [{\"path\": \"./out/NAME\"}]}` to standard output, and messages to standard error")
    })?;
    if answers.len() != call.asked.len() {
        let (asked, came) = (call.asked.len(), answers.len());
        let message = format!("{label} was asked for {} and gave answers for {came}", count(asked));
        let diagnostic = Diagnostic::error(Class::Resolution, message).at(at());
        let asked = call.asked.iter().map(|asked| shown(&asked.wanted));
        let diagnostic = asked.fold(diagnostic, |all, one| all.note(format!("asked for: {one}")));
        return Err(diagnostic.into());
    }
    let (mut taken, mut errors) = (Vec::new(), Vec::new());
    for (asked, answer) in call.asked.iter().zip(answers) {
        let one = match answer {
            PkgAnswer::Error(error) => Err(Diagnostic::error(
                Class::Resolution,
                format!("{label} has no {}: {error}", shown(&asked.wanted)),
            )),
            PkgAnswer::Path(path) => Draft::of(call, asked, left, &path, evaluator)
                .and_then(|draft| draft.take(evaluator)),
        };
        match one {
            Ok(locked) => taken.push(locked),
            Err(error) if error.place.is_some() => errors.push(error),
            Err(error) => errors.push(error.at(asked.written_at(outline))),
        }
    }
    match errors.is_empty() {
        true => Ok(taken),
        false => Err(Failure { diagnostics: errors }),
    }
}

impl<'a> Draft<'a> {
    /// Returns the package at the path that a retriever gave.
    fn of(
        call: &'a Call,
        asked: &'a Asked,
        left: &Left,
        path: &'a str,
        evaluator: &Evaluator<'_>,
    ) -> Result<Draft<'a>, Diagnostic> {
        let label = call.label();
        let wrong = |class, what: &str| {
            let wanted = shown(&asked.wanted);
            Diagnostic::error(
                class,
                format!("{label} gave `{path}` as the path of {wanted}, {what}"),
            )
        };
        let at = RelPath::parse(path.trim_end_matches('/'))
            .map_err(|error| wrong(Class::Integrity, &format!("which is not a path: {error}")))?;
        let out = RelPath::parse(OUT).unwrap_or_default();
        if !at.starts_with(&out) || at == out {
            let help = "put each package in a directory of its own in `./out/`";
            return Err(wrong(Class::Integrity, "which is not in `./out/`").help(help));
        }
        let file = RelPath::parse(PKG_FILE).unwrap_or_default();
        let manifest = match left.manifest.get(&at) {
            Some(Node::Dir) | None => left.manifest.subtree(&at).unwrap_or_default(),
            Some(_) => return Err(wrong(Class::Action, "which is not a directory")),
        };
        match manifest.get(&file) {
            Some(Node::File { .. }) => {}
            _ if manifest.is_empty() => return Err(wrong(Class::Action, "but it does not exist")),
            _ => {
                return Err(wrong(Class::Action, &format!("which has no `{PKG_FILE}`")));
            }
        }
        ArchivePolicy::PACKAGE.check_tree(&manifest).map_err(|error| {
            let message = format!(
                "{label} created something at `{path}` that no package may contain: {error}"
            );
            Diagnostic::error(Class::Integrity, message).note("nothing was stored")
        })?;
        let stored = StoredTree {
            path: evaluator.store.tree_place(&left.tree).join(at.as_str()),
            manifest: manifest.clone(),
        };
        // This name is used only here.
        let version = match &asked.wanted.locked {
            Some((version, _)) => version.clone(),
            None => "0.0.0"
                .parse::<Version>()
                .map_err(|error| Diagnostic::error(Class::Internal, error.to_string()))?,
        };
        let name = &asked.wanted.name;
        let key = PkgKey::new(name.namespace.as_ref(), &name.name, &version);
        let tree = manifest.digest();
        let place = PkgPlace::Store(Arc::new(StoredPkg { key, tree, stored, is_new: false }));
        Ok(Draft { call, wanted: &asked.wanted, path, place, manifest })
    }

    /// Puts it into the store as the package that dependents get; returns its lock line.
    fn take(&self, evaluator: &Evaluator<'_>) -> Result<LockedPkg, Diagnostic> {
        let decl = self.declared(evaluator)?;
        self.compare(&decl)?;
        let named = NamedFiles {
            place: &self.place,
            files: &decl.files,
            import_dirs: &decl.imports,
            sources: self.sources(&decl),
        };
        let set = file_set(&named, evaluator).map_err(|error| self.told(error))?;
        self.check_files(&decl)?;
        self.check_content(&set, &decl)?;
        let content = bring_together(evaluator.store, &set, &self.place, evaluator)?;
        Ok(LockedPkg {
            name: decl.info.pkg_name(),
            version: decl.info.version,
            source: LockSource::Retriever(self.call.name.clone()),
            content,
        })
    }

    fn declared(&self, evaluator: &Evaluator<'_>) -> Result<PackageDecl, Diagnostic> {
        let evaluated = evaluator.evaluate(&self.place, Op::Pkg, &NoAnswers);
        let evaluated = evaluated.map_err(|failed| self.told(*failed.diagnostic))?;
        serde_json::from_str(evaluated.value.get()).map_err(|error| {
            let message = format!("{}: unexpected value in the declaration: {error}", self.path);
            Diagnostic::error(Class::Internal, message)
        })
    }

    /// Returns the files of its modules; if other packages list its modules, all files that may belong to one.
    fn sources(&self, decl: &PackageDecl) -> Vec<RelPath> {
        match &decl.modules {
            Some(modules) => modules.values().filter_map(|at| at.file().cloned()).collect(),
            None => {
                let all = self.manifest.iter().map(|(path, _)| path);
                all.filter(|path| is_jsonnet(path)).cloned().collect()
            }
        }
    }

    /// Checks that it is what was requested.
    fn compare(&self, decl: &PackageDecl) -> Result<(), Diagnostic> {
        let (label, info) = (self.call.label(), &decl.info);
        let (name, version) = (info.pkg_name(), &info.version);
        if name != self.wanted.name || !self.wanted.requirement.matches(version) {
            let wanted = shown(self.wanted);
            let message = format!("{label} was asked for {wanted} but gave {name} {version}");
            return Err(Diagnostic::error(Class::Resolution, message)
                .note(format!("according to `{PKG_FILE}` in `{}`", self.path)));
        }
        match &self.wanted.locked {
            Some((locked, content)) if locked != version => {
                let message = format!(
                    "{label} was asked for {name} {locked}, which is locked, but gave {version}"
                );
                Err(Diagnostic::error(Class::Integrity, message)
                    .note(format!("the locked content is {content}"))
                    .help(format!("run `wake update {name}` to lock what it gives now")))
            }
            _ => Ok(()),
        }
    }

    /// Checks that every file that it names exists.
    fn check_files(&self, decl: &PackageDecl) -> Result<(), Diagnostic> {
        let is_absent = |path: &&RelPath| {
            !matches!(self.manifest.get(path), Some(Node::File { .. } | Node::Link { .. }))
        };
        match decl.files.iter().find(is_absent) {
            Some(path) => {
                let message = format!(
                    "{} did not create the file `{}` at `{}`, whose `{PKG_FILE}` names it",
                    self.call.label(),
                    path.dotted(),
                    self.path
                );
                Err(Diagnostic::error(Class::Evaluation, message))
            }
            None => Ok(()),
        }
    }

    /// Checks that its content is the locked one.
    fn check_content(&self, set: &FileSet, decl: &PackageDecl) -> Result<(), Diagnostic> {
        let Some((version, locked)) = &self.wanted.locked else { return Ok(()) };
        let came = content(set);
        if came == Some(*locked) {
            return Ok(());
        }
        let (label, name) = (self.call.label(), decl.info.pkg_name());
        let message =
            format!("{label} gave {name} {version} with different content than is locked");
        let came = came.map_or_else(|| "none".to_owned(), |came| came.to_string());
        Err(Diagnostic::error(Class::Integrity, message)
            .note(format!("locked: {locked}"))
            .note(format!("given: {came}, not stored"))
            .help(format!("ask the retriever's maintainer what happened; run `wake update {name}` to lock what it gives now")))
    }

    /// Adapts an evaluation error for a user who cannot see the retriever's output.
    fn told(&self, mut error: Diagnostic) -> Diagnostic {
        let own = self.place.label();
        let path = self.path.trim_end_matches('/');
        let renamed = |text: &str| text.replace(&own, path);
        error.message = format!("{}: {}", self.call.label(), renamed(&error.message));
        error.notes = error.notes.iter().map(|note| renamed(note)).collect();
        if let Some(place) = error.place.take() {
            let line = place.source_line.trim().to_owned();
            error.notes.insert(0, format!("at {}: {line}", renamed(&place.to_string())));
        }
        error
    }
}

/// Returns the digest of the tree of these files.
fn content(set: &FileSet) -> Option<TreeDigest> {
    let node = |state: &FileState| match state {
        FileState::File { blob, size, executable } => {
            Some(Node::File { blob: *blob, size: *size, executable: *executable })
        }
        FileState::Link(target) => Some(Node::Link { target: target.clone() }),
        FileState::Absent | FileState::Dir | FileState::Other => None,
    };
    let nodes = set.iter().filter_map(|(path, state)| Some((path.clone(), node(state)?)));
    Manifest::new(nodes).ok().map(|manifest| manifest.digest())
}

/// Returns `pypi/idna ^3`, as requested.
fn shown(wanted: &PkgWanted) -> String {
    format!("{} {}", wanted.name, wanted.requirement)
}

fn count(number: usize) -> String {
    match number {
        1 => "1 package".to_owned(),
        _ => format!("{number} packages"),
    }
}
