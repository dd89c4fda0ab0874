//! What a person asks to be built.

use wake_model::nearest::nearest;
use wake_model::{RelPath, path::PathError};

use crate::workspace::{Walk, Workspace};
use wake_steps::diagnostic::{Class, Diagnostic};

/// One package of a target, with the module that was named, if one was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// The package's directory.
    pub pkg: RelPath,
    /// The module; none: all of the package.
    pub module: Option<String>,
}

/// A target as written: `path`, `path:module`, `:module`, `//path`, `path/...`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern<'a> {
    rooted: bool,
    path: &'a str,
    recursive: bool,
    module: Option<&'a str>,
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a str) -> Pattern<'a> {
        let (rooted, rest) = match text.strip_prefix("//") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (path, module) = match rest.rsplit_once(':') {
            Some((path, module)) => (path, Some(module)),
            None => (rest, None),
        };
        let (path, recursive) = match path.strip_suffix("...") {
            Some(above) if above.is_empty() || above.ends_with('/') => (above, true),
            _ => (path, false),
        };
        Pattern { rooted, path, recursive, module }
    }
}

/// What a package is called: `//libs/zlib`.
pub(crate) fn label(pkg: &RelPath) -> String {
    ["//", pkg.as_str()].concat()
}

/// What a module is called: `//libs/zlib:lib`.
pub(crate) fn module_label(pkg: &RelPath, module: &str) -> String {
    ["//", pkg.as_str(), ":", module].concat()
}

/// The packages that were asked for, and the directories that were walked to find them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// The packages, sorted.
    pub(crate) targets: Vec<Target>,
    /// Every directory that was looked into.
    pub(crate) walked: Vec<RelPath>,
}

/// Finds the packages that `texts` name; none at all means the package around the user.
///
/// `heard` is called as soon as a package is found where many are looked for.
pub(crate) fn find(
    workspace: &Workspace,
    texts: &[String],
    heard: &mut dyn FnMut(&RelPath),
) -> Result<Found, Diagnostic> {
    if texts.is_empty() {
        let pkg = workspace.nearest_pkg(&workspace.here)?;
        return Ok(Found { targets: vec![Target { pkg, module: None }], walked: Vec::new() });
    }
    let mut found = Found::default();
    for text in texts {
        let targets = find_one(workspace, text, &mut found.walked, heard)?;
        found.targets.extend(targets);
    }
    found.targets.sort();
    found.targets.dedup();
    Ok(found)
}

fn find_one(
    workspace: &Workspace,
    text: &str,
    walked: &mut Vec<RelPath>,
    heard: &mut dyn FnMut(&RelPath),
) -> Result<Vec<Target>, Diagnostic> {
    let pattern = Pattern::parse(text);
    let dir = directory(workspace, text, &pattern)?;
    let module = pattern.module.map(str::to_owned);
    if pattern.recursive {
        let Walk { members, dirs } = workspace.walk(&dir, heard)?;
        walked.extend(dirs);
        if members.is_empty() {
            return Err(Diagnostic::error(Class::Nothing, format!("`{text}` matches no package")));
        }
        return Ok(members.into_iter().map(|pkg| Target { pkg, module: module.clone() }).collect());
    }
    if pattern.path.is_empty() || pattern.path == "." {
        let pkg = if pattern.rooted { dir } else { workspace.nearest_pkg(&dir)? };
        if workspace.is_pkg(&pkg) {
            return Ok(vec![Target { pkg, module }]);
        }
        return Err(not_a_pkg(workspace, text, &pkg));
    }
    match workspace.is_pkg(&dir) {
        true => Ok(vec![Target { pkg: dir, module }]),
        false => Err(not_a_pkg(workspace, text, &dir)),
    }
}

fn directory(workspace: &Workspace, text: &str, pattern: &Pattern) -> Result<RelPath, Diagnostic> {
    let base = if pattern.rooted { RelPath::root() } else { workspace.here.clone() };
    if pattern.path.is_empty() {
        return Ok(base);
    }
    let joined =
        if base.is_root() { pattern.path.to_owned() } else { format!("{base}/{}", pattern.path) };
    RelPath::parse(&joined).map_err(|error| {
        let message = match error {
            PathError::Climbs(_) => format!("target `{text}` leaves the workspace"),
            other => format!("target `{text}`: {other}"),
        };
        Diagnostic::error(Class::Usage, message)
            .help("a target is `path`, `path:module`, `//path:module` or `//path/...`")
    })
}

fn not_a_pkg(workspace: &Workspace, text: &str, dir: &RelPath) -> Diagnostic {
    let diagnostic = if workspace.absolute(dir).is_dir() {
        Diagnostic::error(
            Class::Usage,
            format!("target `{text}`: `{dir}` holds no `PKG.libsonnet`"),
        )
    } else {
        Diagnostic::error(Class::Usage, format!("target `{text}`: no directory `{dir}`"))
    };
    let members = workspace.members(&RelPath::root()).unwrap_or_default();
    match nearest(dir.as_str(), members.iter().map(RelPath::as_str)) {
        Some(name) => diagnostic.help(format!("did you mean `//{name}`?")),
        None => diagnostic.help("`wake ls //...` lists the packages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, rooted: bool, path: &str, recursive: bool, module: Option<&str>) {
        assert_eq!(Pattern::parse(text), Pattern { rooted, path, recursive, module }, "{text}");
    }

    #[test]
    fn every_form() {
        check(".", false, ".", false, None);
        check("libs/z:core", false, "libs/z", false, Some("core"));
        check(":core", false, "", false, Some("core"));
        check("//", true, "", false, None);
        check("//libs/...", true, "libs/", true, None);
        check("//...:lib", true, "", true, Some("lib"));
        check("a...", false, "a...", false, None);
    }
}
