//! Which files of a package others get: those that it names, its own file, those of its modules, and what these import.

use std::collections::BTreeMap;

use wake_eval::imports;
use wake_model::RelPath;
use wake_model::place::PKG_FILE;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::evaluate::Evaluator;
use crate::files::{FileState, link_inside, read_at_most};
use crate::instance::PkgInstance;
use crate::pkg_place::PkgPlace;
use crate::sources::LARGEST;

/// Files and links by their paths in the package.
pub(super) type FileSet = BTreeMap<RelPath, FileState>;

/// Every file that others get of a package of the checkout.
pub(super) fn file_set(
    instance: &PkgInstance,
    evaluator: &Evaluator,
) -> Result<FileSet, Diagnostic> {
    let own = RelPath::parse(PKG_FILE).into_iter();
    let modules = instance.modules.values().filter_map(|at| at.file().cloned());
    let mut open: Vec<(RelPath, bool)> = own.chain(modules).map(|path| (path, true)).collect();
    open.extend(instance.files.iter().map(|path| (path.clone(), is_jsonnet(path))));
    let mut collected = FileSet::new();
    while let Some((path, is_source)) = open.pop() {
        if collected.contains_key(&path) {
            continue;
        }
        let state = look(&instance.place, &path, evaluator)?;
        match &state {
            FileState::File { .. } if is_source => {
                let imported = imported(&path, instance, evaluator)?;
                open.extend(imported.into_iter().map(|path| (path, true)));
            }
            // Whoever reads a source through a link reads what it leads to.
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

/// The files of the package that the source at `path` imports and that are there.
fn imported(
    path: &RelPath,
    instance: &PkgInstance,
    evaluator: &Evaluator,
) -> Result<Vec<RelPath>, Diagnostic> {
    let place = evaluator.files.absolute_in(&instance.place, path);
    let Some(bytes) = read_at_most(&place, LARGEST) else { return Ok(Vec::new()) };
    let Ok(text) = String::from_utf8(bytes) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for written in imports(&text) {
        // That file travels with its own package.
        if written.starts_with('@') {
            continue;
        }
        let beside = path.parent().and_then(|dir| dir.resolve(&written).ok());
        let is_near = written.starts_with("./") || written.starts_with("../");
        let in_libraries = instance.import_dirs().iter().filter(|_| !is_near);
        let in_libraries = in_libraries.filter_map(|dir| dir.resolve(&written).ok());
        for candidate in beside.into_iter().chain(in_libraries) {
            match look(&instance.place, &candidate, evaluator)? {
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

fn is_jsonnet(path: &RelPath) -> bool {
    let path = path.as_str();
    path.ends_with(".libsonnet") || path.ends_with(".jsonnet")
}
