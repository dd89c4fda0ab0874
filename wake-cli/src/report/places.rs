//! File places in commands' output, relative to the workspace root.
//!
//! Commands run in the directory of their package, and compilers print paths relative to it; editors open them from the root.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The workspace of the places.
#[derive(Debug, Default)]
pub(crate) struct Places {
    root: PathBuf,
}

impl Places {
    /// Makes places for the workspace at `root`, an absolute path.
    pub(crate) fn below(root: &str) -> Places {
        Places { root: PathBuf::from(root) }
    }

    /// Whether the log of a run exists; assumed if the workspace is unknown.
    pub(crate) fn has_log(&self, run: &str) -> bool {
        let log = self.root.join(".wake/runs").join(format!("{run}.jsonl"));
        !self.root.is_dir() || log.is_file()
    }

    /// Quotes a line of a command's output for a log, with its line break.
    pub(crate) fn quoted(&self, label: &str, line: &str) -> String {
        let line = self.seen_from_root(label, line);
        // The older form of workflow commands is recognised anywhere in a line.
        let line = line.replace("##[", "# #[");
        format!("{}\n", format!("  | {line}").trim_end_matches(' '))
    }

    /// Makes the paths of package files in `line` that are followed by a colon relative to the root; `label` is the module.
    pub(crate) fn seen_from_root<'l>(&self, label: &str, line: &'l str) -> Cow<'l, str> {
        let pkg = label.strip_prefix("//").and_then(|rest| rest.rsplit_once(':'));
        let Some((pkg, _)) = pkg.filter(|(pkg, _)| !pkg.is_empty()) else {
            return Cow::Borrowed(line);
        };
        let (dir, mut out, mut rest) = (self.root.join(pkg), String::new(), line);
        while let Some(start) = rest.find(is_of_path) {
            let (before, word) = rest.split_at(start);
            let end = word.find(|c| !is_of_path(c)).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            out += before;
            if after.starts_with(':') && lies_in(&dir, word) {
                out += pkg;
                out.push('/');
                out += word.trim_start_matches("./");
            } else {
                out += word;
            }
            rest = after;
        }
        Cow::Owned(out + rest)
    }
}

fn lies_in(dir: &Path, word: &str) -> bool {
    let relative = !word.starts_with('/') && !word.split('/').any(|part| part == "..");
    relative && dir.join(word).is_file()
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '+' | '@')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_of_the_package_are_named_from_the_root() {
        let root = tempfile::tempdir().unwrap();
        for file in ["libs/x/src/a.c", "libs/x/b.c", "libs/secret"] {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let places = Places::below(root.path().to_str().unwrap());
        for (label, line, expected) in [
            ("//libs/x:m", "src/a.c:1:2: error: x", "libs/x/src/a.c:1:2: error: x"),
            ("//libs/x:m", "In file included from ./b.c:3,", "In file included from libs/x/b.c:3,"),
            ("//libs/x:m", "src/a.c: In function", "libs/x/src/a.c: In function"),
            ("//libs/x:m", "no.c:1: b.c src/a.c;", "no.c:1: b.c src/a.c;"),
            ("//libs/x:m", "../secret:1 /etc/passwd:1", "../secret:1 /etc/passwd:1"),
            ("//:m", "libs/x/b.c:1", "libs/x/b.c:1"),
            ("a formula", "b.c:1", "b.c:1"),
        ] {
            assert_eq!(places.seen_from_root(label, line), expected);
        }
    }
}
