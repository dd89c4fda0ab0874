//! The files of a package that dependents get: those that it names, its own file, those of its modules, and their imports.

use std::collections::BTreeMap;

use wake_eval::imports;
use wake_model::place::PKG_FILE;
use wake_model::{RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;
use wake_store::{BuildTreeError, Store};

use crate::evaluate::Evaluator;
use crate::files::{FileState, link_inside, read_at_most};
use crate::pkg_place::PkgPlace;
use crate::sources::LARGEST;

/// Files and links by their paths in the package.
pub(crate) type FileSet = BTreeMap<RelPath, FileState>;

/// What a package says about its files.
pub(crate) struct NamedFiles<'a> {
    /// Where it is.
    pub(crate) place: &'a PkgPlace,
    /// The files that it names.
    pub(crate) files: &'a [RelPath],
    /// Its import library.
    pub(crate) import_dirs: &'a [RelPath],
    /// The files of its modules, and others that count as sources.
    pub(crate) sources: Vec<RelPath>,
}

/// Returns every file of a package that dependents get.
pub(crate) fn file_set(
    named: &NamedFiles<'_>,
    evaluator: &Evaluator,
) -> Result<FileSet, Diagnostic> {
    let own = RelPath::parse(PKG_FILE).into_iter();
    let sources = named.sources.iter().cloned();
    let mut open: Vec<(RelPath, bool)> = own.chain(sources).map(|path| (path, true)).collect();
    open.extend(named.files.iter().map(|path| (path.clone(), is_jsonnet(path))));
    let mut collected = FileSet::new();
    while let Some((path, is_source)) = open.pop() {
        if collected.contains_key(&path) {
            continue;
        }
        let state = look(named.place, &path, evaluator)?;
        match &state {
            FileState::File { .. } if is_source => {
                let imported = imported(&path, named, evaluator)?;
                open.extend(imported.into_iter().map(|path| (path, true)));
            }
            // Reading a source through a link reads its target.
            FileState::Link(target) if is_source => {
                let to = link_inside(&path, target);
                open.extend(to.map(|path| (path, true)));
            }
            _ => {}
        }
        collected.insert(path, state);
    }
    collected.retain(|_, state| matches!(state, FileState::File { .. } | FileState::Link(_)));
    Ok(collected)
}

/// Puts the files of a package into the store as the tree that dependents get.
pub(crate) fn bring_together(
    store: &Store,
    set: &FileSet,
    place: &PkgPlace,
    evaluator: &Evaluator,
) -> Result<TreeDigest, Diagnostic> {
    let fault = |error: BuildTreeError| match error {
        BuildTreeError::Store(error) => store_failure(error),
        BuildTreeError::Changed { .. } => {
            Diagnostic::error(Class::Environment, error.to_string()).help("run it again")
        }
        error => Diagnostic::error(Class::Evaluation, error.to_string()),
    };
    let mut builder = store.build_tree().map_err(store_failure)?;
    for (path, state) in set {
        match state {
            FileState::File { blob, executable, .. } => {
                let host = evaluator.files.absolute_in(place, path);
                builder.add_file(path, &host, blob, *executable).map_err(fault)?;
            }
            FileState::Link(target) => builder.add_link(path, target).map_err(fault)?,
            FileState::Absent | FileState::Dir | FileState::Other => {}
        }
    }
    builder.finish().map_err(fault)
}

/// Returns the files of the package that the source at `path` imports and that exist.
fn imported(
    path: &RelPath,
    named: &NamedFiles<'_>,
    evaluator: &Evaluator,
) -> Result<Vec<RelPath>, Diagnostic> {
    let place = evaluator.files.absolute_in(named.place, path);
    let Some(bytes) = read_at_most(&place, LARGEST) else { return Ok(Vec::new()) };
    let Ok(text) = String::from_utf8(bytes) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for written in imports(&text) {
        // That file comes with its own package.
        if written.starts_with('@') {
            continue;
        }
        let beside = path.parent().and_then(|dir| dir.resolve(&written).ok());
        let is_near = written.starts_with("./") || written.starts_with("../");
        let in_libraries = named.import_dirs.iter().filter(|_| !is_near);
        let in_libraries = in_libraries.filter_map(|dir| dir.resolve(&written).ok());
        for candidate in beside.into_iter().chain(in_libraries) {
            match look(named.place, &candidate, evaluator)? {
                FileState::File { .. } | FileState::Link(_) => {
                    found.push(candidate);
                    break;
                }
                FileState::Absent | FileState::Dir | FileState::Other => {}
            }
        }
    }
    Ok(found)
}

fn look(place: &PkgPlace, path: &RelPath, evaluator: &Evaluator) -> Result<FileState, Diagnostic> {
    let failed =
        |error: crate::files::FileError| Diagnostic::error(Class::Environment, error.to_string());
    evaluator.files.look_in(place, path).map_err(failed)
}

/// Returns whether a file is a source, by its name.
pub(crate) fn is_jsonnet(path: &RelPath) -> bool {
    let path = path.as_str();
    path.ends_with(".libsonnet") || path.ends_with(".jsonnet")
}
