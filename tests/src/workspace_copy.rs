//! Copies of the examples, and the content of directories.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::project::{Project, project};

/// Makes a project from a copy of the named example.
pub fn example(name: &str) -> Project {
    let project = project().build();
    copy_tree(&source(name), project.root());
    project
}

/// Makes a project from a copy of the rule library.
pub fn rules() -> Project {
    let project = project().build();
    rules_into(&project, "");
    project
}

/// Copies the rule library to `dir` of a project.
pub fn rules_into(project: &Project, dir: &str) {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("rules");
    copy_tree(&rules, &project.path(dir));
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples").join(name)
}

/// Copies a directory without wake's own files; links stay links.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        } else if entry.file_name() != ".wake" {
            copy_tree(&entry.path(), &target);
        }
    }
}

/// Reads everything below a directory, which may be a link: path, then content.
///
/// A file is its bytes after `x` or `-`, a link its target, a directory nothing.
pub fn read_tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    read_below(root, "", &mut found);
    found
}

fn read_below(dir: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries.map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_symlink() {
            let target = fs::read_link(&path).unwrap().to_string_lossy().into_owned();
            found.insert(name, format!("link {target}").into_bytes());
        } else if meta.is_dir() {
            found.insert(format!("{name}/"), Vec::new());
            read_below(&path, &format!("{name}/"), found);
        } else {
            let executable = meta.permissions().mode() & 0o111 != 0;
            let mut content = vec![if executable { b'x' } else { b'-' }];
            content.extend(fs::read(&path).unwrap());
            found.insert(name, content);
        }
    }
}
