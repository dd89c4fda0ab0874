//! Finding a text in the sources that an evaluation read, for messages about plain values.

use wake_eval::{Read, Sources};
use wake_model::RelPath;

use crate::files::Files;
use crate::sources::DirSources;
use wake_steps::diagnostic::Place;

/// Where the first string literal that names `path` (with or without `./`) stands in the Jsonnet
/// files among `reads` of the package at `pkg`; none if no literal does.
pub(crate) fn find_literal(
    files: &Files,
    pkg: &RelPath,
    reads: &[Read],
    path: &str,
) -> Option<Place> {
    let spellings = [path.to_owned(), format!("./{path}")];
    let quoted: Vec<String> =
        spellings.iter().flat_map(|text| [format!("'{text}'"), format!("\"{text}\"")]).collect();
    find_first(files, pkg, reads, &quoted)
}

/// Where the first of `texts` stands in the Jsonnet files among `reads`.
pub(crate) fn find_first(
    files: &Files,
    pkg: &RelPath,
    reads: &[Read],
    texts: &[String],
) -> Option<Place> {
    let sources = DirSources::new(&files.absolute(pkg));
    let is_source = |path: &RelPath| {
        path.as_str().ends_with(".libsonnet") || path.as_str().ends_with(".jsonnet")
    };
    reads.iter().find_map(|read| {
        let Read::File { path, digest: Some(_) } = read else { return None };
        if !is_source(path) {
            return None;
        }
        let text = String::from_utf8(sources.read(path).ok()??).ok()?;
        let file = pkg.join(path).to_string();
        texts.iter().find_map(|wanted| find_in(&file, &text, wanted))
    })
}

fn find_in(file: &str, text: &str, wanted: &str) -> Option<Place> {
    let (index, line, at) = text
        .lines()
        .enumerate()
        .find_map(|(index, line)| Some((index, line, line.find(wanted)?)))?;
    let column = line[..at].chars().count() + 1;
    Some(Place {
        file: file.to_owned(),
        line: index + 1,
        column,
        end_column: column + wanted.chars().count(),
        source_line: line.to_owned(),
        label: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn columns_count_characters() {
        let place = find_in("f", "a\néé: './x',\n", "'./x'").unwrap();
        assert_eq!((place.line, place.column, place.end_column), (2, 5, 10));
    }
}
