//! Locating a text in the sources that an evaluation read, for messages about plain values.

use wake_eval::{Literal, Read, Sources};
use wake_model::RelPath;

use crate::files::Files;
use crate::pkg_place::PkgPlace;
use crate::sources::DirSources;
use wake_steps::diagnostic::Place;

/// Returns the place of the first string literal that names `path` (with or without `./`) in the Jsonnet
/// files among `reads` of the package at `pkg`; none if there is none.
pub(crate) fn find_literal(
    files: &Files,
    pkg: &PkgPlace,
    reads: &[Read],
    path: &str,
) -> Option<Place> {
    let spellings = [path.to_owned(), format!("./{path}")].map(Literal::Text);
    find_first(files, pkg, reads, &spellings)
}

/// Returns the place of the first of `literals` in the Jsonnet files among `reads`.
pub(crate) fn find_first(
    files: &Files,
    pkg: &PkgPlace,
    reads: &[Read],
    literals: &[Literal],
) -> Option<Place> {
    let sources = DirSources::new(&files.absolute_in(pkg, &RelPath::root()));
    let is_source = |path: &RelPath| {
        path.as_str().ends_with(".libsonnet") || path.as_str().ends_with(".jsonnet")
    };
    reads.iter().find_map(|read| {
        let Read::File { path, digest: Some(_) } = read else { return None };
        if !is_source(path) {
            return None;
        }
        let text = String::from_utf8(sources.read(path).ok()??).ok()?;
        let found = literals.iter().find_map(|literal| literal.find(path.as_str(), &text))?;
        Some(place(pkg, &found, None))
    })
}

/// Converts a place from an evaluation of the package at `pkg` to one relative to the root of the workspace.
pub(crate) fn place(pkg: &PkgPlace, found: &wake_eval::Place, label: Option<String>) -> Place {
    let wake_eval::Place { file, line, column, end_column, source_line } = found;
    Place {
        file: pkg.file_label(file),
        line: *line as usize,
        column: *column as usize,
        end_column: *end_column as usize,
        source_line: source_line.clone(),
        label,
    }
}
