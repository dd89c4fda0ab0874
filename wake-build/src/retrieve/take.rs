//! Taking what a retriever left: each package is held to what others get, compared, and put into the store.

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

/// A package that a retriever left, where it left it.
struct Draft<'a> {
    call: &'a Call,
    wanted: &'a PkgWanted,
    /// As the retriever writes it.
    path: &'a str,
    place: PkgPlace,
    manifest: Manifest,
}

/// Takes what a call left, package by package; every fault of them is told.
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
        .help("it is to write `{\"pkgs\": [{\"path\": \"./out/NAME\"}]}` there, and what is for people to standard error")
    })?;
    if answers.len() != call.asked.len() {
        let (asked, came) = (call.asked.len(), answers.len());
        let message = format!("{label} was asked for {} and answered for {came}", count(asked));
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
    /// The package at the path that a retriever names.
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
            Diagnostic::error(class, format!("{label} says that {wanted} lies at `{path}`, {what}"))
        };
        let at = RelPath::parse(path.trim_end_matches('/'))
            .map_err(|error| wrong(Class::Integrity, &format!("which is no path: {error}")))?;
        let out = RelPath::parse(OUT).unwrap_or_default();
        if !at.starts_with(&out) || at == out {
            let help = "a package lies in a directory of its own in `./out/`";
            return Err(wrong(Class::Integrity, "and that is not in `./out/`").help(help));
        }
        let file = RelPath::parse(PKG_FILE).unwrap_or_default();
        let manifest = match left.manifest.get(&at) {
            Some(Node::Dir) | None => left.manifest.subtree(&at).unwrap_or_default(),
            Some(_) => return Err(wrong(Class::Action, "where no directory is")),
        };
        match manifest.get(&file) {
            Some(Node::File { .. }) => {}
            _ if manifest.is_empty() => return Err(wrong(Class::Action, "where nothing is")),
            _ => {
                return Err(wrong(Class::Action, &format!("where no `{PKG_FILE}` is")));
            }
        }
        ArchivePolicy::PACKAGE.check_tree(&manifest).map_err(|error| {
            let message = format!("{label} left at `{path}` what no package may hold: {error}");
            Diagnostic::error(Class::Integrity, message).note("nothing of it was kept")
        })?;
        let stored = StoredTree {
            path: evaluator.store.tree_place(&left.tree).join(at.as_str()),
            manifest: manifest.clone(),
        };
        // Nobody but what is here sees that name.
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

    /// Puts it into the store as the package that others get; gives its line.
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
            let message = format!("{}: the declaration has an unexpected form: {error}", self.path);
            Diagnostic::error(Class::Internal, message)
        })
    }

    /// The files of its modules; where other packages say what its modules are, everything that may be one.
    fn sources(&self, decl: &PackageDecl) -> Vec<RelPath> {
        match &decl.modules {
            Some(modules) => modules.values().filter_map(|at| at.file().cloned()).collect(),
            None => {
                let all = self.manifest.iter().map(|(path, _)| path);
                all.filter(|path| is_jsonnet(path)).cloned().collect()
            }
        }
    }

    /// Whether it is what was asked for.
    fn compare(&self, decl: &PackageDecl) -> Result<(), Diagnostic> {
        let (label, info) = (self.call.label(), &decl.info);
        let (name, version) = (info.pkg_name(), &info.version);
        if name != self.wanted.name || !self.wanted.requirement.matches(version) {
            let wanted = shown(self.wanted);
            let message = format!("{label} was asked for {wanted} and gave {name} {version}");
            return Err(Diagnostic::error(Class::Resolution, message)
                .note(format!("`{}` says so in its `{PKG_FILE}`", self.path)));
        }
        match &self.wanted.locked {
            Some((locked, content)) if locked != version => {
                let message = format!(
                    "{label} was asked for {name} {locked}, which is locked, and gave {version}"
                );
                Err(Diagnostic::error(Class::Integrity, message)
                    .note(format!("locked is the content {content}"))
                    .help(format!("`wake update {name}` takes what it gives now")))
            }
            _ => Ok(()),
        }
    }

    /// Every file that it names must be there.
    fn check_files(&self, decl: &PackageDecl) -> Result<(), Diagnostic> {
        let is_absent = |path: &&RelPath| {
            !matches!(self.manifest.get(path), Some(Node::File { .. } | Node::Link { .. }))
        };
        match decl.files.iter().find(is_absent) {
            Some(path) => {
                let message = format!(
                    "{} left no file `{}` at `{}`, whose `{PKG_FILE}` names it",
                    self.call.label(),
                    path.dotted(),
                    self.path
                );
                Err(Diagnostic::error(Class::Evaluation, message))
            }
            None => Ok(()),
        }
    }

    /// Whether its files are those that are locked.
    fn check_content(&self, set: &FileSet, decl: &PackageDecl) -> Result<(), Diagnostic> {
        let Some((version, locked)) = &self.wanted.locked else { return Ok(()) };
        let came = content(set);
        if came == Some(*locked) {
            return Ok(());
        }
        let (label, name) = (self.call.label(), decl.info.pkg_name());
        let message = format!("{label} gave {name} {version} with other content than is locked");
        let came = came.map_or_else(|| "none".to_owned(), |came| came.to_string());
        Err(Diagnostic::error(Class::Integrity, message)
            .note(format!("locked is {locked}"))
            .note(format!("it gave {came}, and nothing of that was kept"))
            .help(format!("ask who answers for it what became of it; `wake update {name}` takes what it gives now")))
    }

    /// An error of an evaluation as a person sees it who cannot look at what the retriever left.
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

/// The digest of the tree that these files make.
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

/// `pypi/idna ^3`, as it was asked for.
fn shown(wanted: &PkgWanted) -> String {
    format!("{} {}", wanted.name, wanted.requirement)
}

fn count(number: usize) -> String {
    match number {
        1 => "1 package".to_owned(),
        _ => format!("{number} packages"),
    }
}
