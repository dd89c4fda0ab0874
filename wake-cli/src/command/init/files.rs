//! The files that `wake init` writes, from `templates/`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use wake_model::Name;
use wake_steps::diagnostic::Diagnostic;

use super::{already, fault};
use crate::args::Template;

/// One file; `NAME` in its text is replaced by the name of the package.
pub(super) struct File {
    pub(super) path: &'static str,
    mode: u32,
    text: &'static str,
}

impl File {
    /// Writes the file, without overwriting an existing one.
    pub(super) fn write(&self, dir: &Path, name: &Name) -> Result<(), Diagnostic> {
        let path = dir.join(self.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| fault(parent, &source))?;
        }
        let text = self.text.replace("NAME", name.as_str());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(self.mode);
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => already(&path),
            _ => fault(&path, &source),
        })
    }
}

/// The files of a template.
macro_rules! files {
    ($template:literal: $($path:literal)*) => {
        &[$(File {
            path: $path,
            mode: mode($path),
            text: include_str!(concat!("templates/", $template, "/", $path)),
        }),*]
    };
}

/// Returns the mode of a file: scripts are executable.
const fn mode(path: &str) -> u32 {
    match path.as_bytes() {
        [.., b'.', b's', b'h'] => 0o777,
        _ => 0o666,
    }
}

/// Returns the files of a template.
pub(super) fn of(template: Template) -> &'static [File] {
    match template {
        Template::Plain => PLAIN,
        Template::Sh => SH,
        Template::Cc => CC,
        Template::Python => PYTHON,
        Template::Rust => RUST,
    }
}

const PLAIN: &[File] =
    files!("plain": "PKG.libsonnet" "hello.libsonnet" "hello.sh" "check.libsonnet" "check.sh");

const SH: &[File] = files!("sh": "PKG.libsonnet" "hello.sh" "check.sh" "words.txt");

const CC: &[File] =
    files!("cc": "PKG.libsonnet" "src/greeting.h" "src/greeting.c" "src/main.c" "tests/check.c");

const PYTHON: &[File] =
    files!("python": "PKG.libsonnet" "src/greeting.py" "src/main.py" "tests/test_greeting.py");

const RUST: &[File] = files!("rust": "PKG.libsonnet" "src/lib.rs" "src/main.rs");

/// The files at the root of a workspace.
pub(super) const WORKSPACE: &[File] =
    files!("workspace": "wake.toml" ".gitignore" ".gitattributes");
