//! Checks that excerpts in errors match the files.

use std::path::Path;

use regex::Regex;

/// Compares every `--> file:line:column` with the file, and the caret below it with the column.
///
/// Returns the first mismatch as an error.
pub(crate) fn check(text: &str, root: &Path) -> Result<(), String> {
    let arrow = Regex::new(r"^ +--> ([^:]+):(\d+):(\d+)$").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(found) = arrow.captures(line) else { continue };
        let (file, row, column) = (&found[1], &found[2], &found[3]);
        let place = format!("{file}:{row}:{column}");
        let (Some(shown), Some(carets)) = (lines.get(at + 2), lines.get(at + 3)) else {
            return Err(format!("{place} is shown without its line"));
        };
        // A file of a package in the store, `acme/zlib@1.3.1/PKG.libsonnet`, is not in the workspace.
        if !file.contains('@') {
            let source =
                std::fs::read_to_string(root.join(file)).map_err(|e| format!("{place}: {e}"))?;
            let expected = source.lines().nth(row.parse::<usize>().unwrap() - 1);
            let expected = expected.ok_or_else(|| format!("{place}: no such line"))?;
            if *shown != format!("{row} | {expected}") {
                return Err(format!("{place} is `{expected}`, shown as `{shown}`"));
            }
        }
        let margin = " ".repeat(row.len()) + " | ";
        let before = carets.strip_prefix(&margin).and_then(|rest| rest.find('^'));
        if before.map(|blanks| blanks + 1) != column.parse().ok() {
            return Err(format!(
                "the caret below {place} is in the wrong column:\n{shown}\n{carets}"
            ));
        }
    }
    Ok(())
}
