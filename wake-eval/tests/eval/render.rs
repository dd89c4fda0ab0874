//! Errors as text, like those of a compiler.

use std::fmt::Write;

use wake_eval::{EvalError, Place};

/// Returns the error as several plain lines, without a final line break.
///
/// The file is shown relative to the workspace if the package is in it (its label starts with `//`).
pub(crate) fn plain(error: &EvalError) -> String {
    let mut out = format!("error: {}", error.message);
    if let Some(place) = &error.place {
        excerpt(&mut out, &error.pkg, place, error.label.as_deref());
    } else {
        let _ = write!(out, "\n  --> {}", error.pkg);
    }
    let margin = error.place.as_ref().map_or(0, |place| place.line.to_string().len());
    for frame in &error.frames {
        let at = at(&error.pkg, &frame.place);
        let _ = write!(out, "\n{:margin$} = note: {} at {at}", "", frame.desc);
    }
    for hint in &error.hints {
        let _ = write!(out, "\n{:margin$} = help: {hint}", "");
    }
    out
}

fn excerpt(out: &mut String, pkg: &str, place: &Place, label: Option<&str>) {
    let line = place.line.to_string();
    let margin = line.len();
    let before: String = place
        .source_line
        .chars()
        .take(place.column.saturating_sub(1) as usize)
        .map(|character| if character == '\t' { '\t' } else { ' ' })
        .collect();
    let carets = "^".repeat(place.end_column.saturating_sub(place.column).max(1) as usize);
    let label = label.map(|label| format!(" {label}")).unwrap_or_default();
    let _ = write!(
        out,
        "\n{:margin$}--> {}\n{:margin$} |\n{line} | {}\n{:margin$} | {before}{carets}{label}",
        "",
        at(pkg, place),
        "",
        place.source_line,
        "",
    );
}

fn at(pkg: &str, place: &Place) -> String {
    let dir = pkg.strip_prefix("//").unwrap_or(pkg).trim_end_matches('/');
    let slash = if dir.is_empty() { "" } else { "/" };
    format!("{dir}{slash}{}:{}:{}", place.file, place.line, place.column)
}
