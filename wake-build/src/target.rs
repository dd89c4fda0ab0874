//! Targets: what the user asks for.

use std::path::Path;

use serde_json::{Map, Value};
use wake_model::nearest::nearest;
use wake_model::{PkgKey, RelPath, path::PathError};

use crate::config_text;
use crate::workspace::{Walk, Workspace};
use wake_steps::diagnostic::{Class, Diagnostic};

/// One package of a target, with the named module, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// The package's directory; the root if the package is in the store.
    pub pkg: RelPath,
    /// The package, if it is in the store.
    pub stored: Option<PkgKey>,
    /// The module; none: all of the package.
    pub module: Option<String>,
    /// The module's configuration, as in its label.
    pub configured: Option<String>,
    /// The key of the dependency that is meant instead of the package itself.
    pub dependency: Option<String>,
}

impl Target {
    /// Returns whether the configuration can be found only among the labels of all modules.
    pub(crate) fn is_searched(&self) -> bool {
        self.configured.as_deref().is_some_and(|text| config_text::read(text).is_none())
    }

    /// Returns whether any package of the workspace may depend on it.
    pub(crate) fn is_anywhere(&self) -> bool {
        self.stored.is_some() || self.is_searched()
    }

    /// Returns the label of the package.
    pub(crate) fn pkg_label(&self) -> String {
        match &self.stored {
            Some(key) => key.label(),
            None => format!("//{}", self.pkg),
        }
    }
}

/// A name for packages or modules: `path`, `path:module`, `:module`, `//path`, `path/...`; and any label,
/// including that of a module with a configuration, `//path:module src=./a.c`, and of a package in the store, `acme/zlib@1.3.1:lib`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPattern {
    text: String,
    rooted: bool,
    path: String,
    recursive: bool,
    module: Option<String>,
    configured: Option<String>,
    dependency: Option<String>,
}

impl From<&str> for TargetPattern {
    fn from(text: &str) -> TargetPattern {
        let (rooted, rest) = match text.strip_prefix("//") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let space = rest.find(':').and_then(|colon| Some(colon + rest[colon..].find(' ')?));
        let (rest, mut configured) = match space {
            Some(space) => (&rest[..space], Some(rest[space + 1..].to_owned())),
            None => (rest, None),
        };
        let (path, mut module) = match rest.rsplit_once(':') {
            Some((path, module)) => (path, Some(module.to_owned())),
            None => (rest, None),
        };
        let (path, recursive) = match path.strip_suffix("...") {
            Some(above) if above.is_empty() || above.ends_with('/') => (above, true),
            _ => (path, false),
        };
        // The form of names of result links.
        if let Some((plain, digits)) = module.as_deref().and_then(|name| name.split_once('@')) {
            configured = Some(format!("@{digits}"));
            module = Some(plain.to_owned());
        }
        let (text, path) = (text.to_owned(), path.to_owned());
        let dependency = None;
        TargetPattern { text, rooted, path, recursive, module, configured, dependency }
    }
}

impl TargetPattern {
    /// Returns the pattern for all modules of a dependency of the surrounding package, by key.
    pub(crate) fn of_dependency(key: &str) -> TargetPattern {
        TargetPattern { dependency: Some(key.to_owned()), ..TargetPattern::from(".") }
    }

    /// Returns the pattern with which a module is named, if only its name was written.
    pub fn as_module(&self) -> Option<String> {
        let is_name = !self.rooted && !self.recursive && self.module.is_none();
        let is_name = is_name && !self.path.contains('/') && !self.path.starts_with('.');
        is_name.then(|| format!(":{}", self.path))
    }

    /// Returns the package that it names, if that may be one in the store.
    fn stored(&self) -> Option<PkgKey> {
        if self.rooted || self.recursive { None } else { PkgKey::of_label(&self.path) }
    }

    /// Returns the pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns which labels it matches for a user in `workspace`, whether or not their packages still exist.
    ///
    /// Fails if it leaves the workspace, or means the package around a user who is not in one.
    pub fn scope(&self, workspace: &Workspace) -> Result<Scope, Diagnostic> {
        let dir = self.directory(workspace)?;
        let TargetPattern { text, recursive, module, configured, .. } = self.clone();
        if let (Some(last), false) = (&module, workspace.is_pkg(&dir))
            && configured.is_none()
            && let Ok(whole) = RelPath::parse(&format!("{dir}:{last}"))
            && workspace.is_pkg(&whole)
        {
            // A directory name with a colon.
            return Ok(Scope { text, dir: whole, recursive, module: None, configured });
        }
        Ok(Scope { text, dir, recursive, module, configured })
    }

    /// Returns the directory that it names, or else that of the package around the current directory.
    fn directory(&self, workspace: &Workspace) -> Result<RelPath, Diagnostic> {
        let TargetPattern { text, rooted, path, recursive, .. } = self;
        if !rooted && path.starts_with('/') {
            return below_root(workspace, text, Path::new(path));
        }
        let base = if *rooted { RelPath::root() } else { workspace.here.clone() };
        if matches!(path.as_str(), "" | ".") {
            let inner = !*rooted && !*recursive;
            return if inner { workspace.nearest_pkg(&base) } else { Ok(base) };
        }
        let joined = if base.is_root() { path.clone() } else { format!("{base}/{path}") };
        RelPath::parse(&joined).map_err(|error| {
            let message = match error {
                PathError::Climbs(_) => format!("target `{text}` leaves the workspace"),
                other => format!("target `{text}`: {other}"),
            };
            Diagnostic::error(Class::Usage, message)
                .help("write a target as `path`, `path:module`, `//path:module` or `//path/...`")
        })
    }
}

/// Converts an absolute path to one relative to the root of the workspace.
fn below_root(workspace: &Workspace, text: &str, path: &Path) -> Result<RelPath, Diagnostic> {
    // The path of the workspace has its links resolved.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let Ok(below) = path.strip_prefix(&workspace.root) else {
        let message =
            format!("target `{text}` is outside the workspace `{}`", workspace.root.display());
        return Err(Diagnostic::error(Class::Usage, message));
    };
    let below = below.to_str().filter(|below| !below.is_empty());
    let parsed = below.map_or_else(|| Ok(RelPath::root()), RelPath::parse);
    parsed.map_err(|error| Diagnostic::error(Class::Usage, format!("target `{text}`: {error}")))
}

/// The configuration for the modules that targets name.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetConfig {
    /// The complete configuration.
    Whole(Value),
    /// Keys that override those of the default.
    Keys(Map<String, Value>),
}

impl TargetConfig {
    pub(crate) fn into_value(self) -> Value {
        match self {
            TargetConfig::Whole(config) => config,
            TargetConfig::Keys(keys) => Value::Object(keys),
        }
    }
}

/// The labels that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    text: String,
    dir: RelPath,
    recursive: bool,
    module: Option<String>,
    configured: Option<String>,
}

impl Scope {
    /// Returns whether it matches the label of a module; a module's name matches each of its configurations.
    pub fn contains(&self, label: &str) -> bool {
        let read = TargetPattern::from(label);
        let (true, pkg, Some(name)) = (read.rooted, read.path.as_str(), read.module) else {
            // A package in the store has no directory, only a label.
            let Some(rest) = label.strip_prefix(&self.text) else { return false };
            return match self.module {
                Some(_) => rest.is_empty() || rest.starts_with(' '),
                None => rest.starts_with(':'),
            };
        };
        let is_pkg = match self.recursive {
            true => {
                let dir = if pkg.is_empty() { Some(RelPath::root()) } else { pkg.parse().ok() };
                dir.is_some_and(|dir| dir.strip(&self.dir).is_some())
            }
            false => pkg == self.dir.as_str(),
        };
        is_pkg
            && self.module.as_ref().is_none_or(|module| *module == name)
            && self.configured.as_deref().is_none_or(|meant| {
                read.configured.as_deref().is_some_and(|own| config_text::is_same(meant, own))
            })
    }
}

/// The packages that were requested, and the directories that were walked to find them.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetPackages {
    /// The packages, sorted.
    pub(crate) targets: Vec<Target>,
    /// Every directory that was read.
    pub(crate) walked: Vec<RelPath>,
}

/// Finds the packages that `patterns` name; without any, the package around the current directory.
///
/// In a search for many packages, `heard` is called as soon as each is found.
pub(crate) fn find(
    workspace: &Workspace,
    patterns: &[TargetPattern],
    heard: &mut dyn FnMut(&RelPath),
) -> Result<TargetPackages, Diagnostic> {
    if patterns.is_empty() {
        let pkg = workspace.nearest_pkg(&workspace.here)?;
        return Ok(TargetPackages {
            targets: vec![Target { pkg, ..Target::default() }],
            walked: Vec::new(),
        });
    }
    let mut found = TargetPackages::default();
    for pattern in patterns {
        let targets = find_one(workspace, pattern, &mut found.walked, heard)?;
        found.targets.extend(targets);
    }
    found.targets.sort();
    found.targets.dedup();
    Ok(found)
}

fn find_one(
    workspace: &Workspace,
    pattern: &TargetPattern,
    walked: &mut Vec<RelPath>,
    heard: &mut dyn FnMut(&RelPath),
) -> Result<Vec<Target>, Diagnostic> {
    let Scope { dir, recursive, module, configured, text: _ } = pattern.scope(workspace)?;
    let target = |pkg| Target {
        pkg,
        stored: None,
        module: module.clone(),
        configured: configured.clone(),
        dependency: pattern.dependency.clone(),
    };
    let text = pattern.as_str();
    if recursive {
        let Walk { members, dirs } = workspace.walk(&dir, heard)?;
        walked.extend(dirs);
        if members.is_empty() {
            return Err(Diagnostic::error(Class::Nothing, format!("`{text}` matches no package")));
        }
        return Ok(members.into_iter().map(target).collect());
    }
    if workspace.is_pkg(&dir) {
        return Ok(vec![target(dir)]);
    }
    match pattern.stored() {
        Some(key) => Ok(vec![Target { stored: Some(key), ..target(RelPath::root()) }]),
        None => Err(not_a_pkg(workspace, pattern, &dir)),
    }
}

fn not_a_pkg(workspace: &Workspace, pattern: &TargetPattern, dir: &RelPath) -> Diagnostic {
    let problem = match workspace.absolute(dir).is_dir() {
        true => format!("`{dir}` has no `PKG.libsonnet`"),
        false => format!("there is no directory `{dir}`"),
    };
    let message = format!("target `{}`: {problem}", pattern.as_str());
    let diagnostic = Diagnostic::error(Class::Usage, message);
    let members = workspace.members(&RelPath::root()).unwrap_or_default();
    match nearest(dir.as_str(), members.iter().map(RelPath::as_str)) {
        Some(name) => diagnostic.help(format!("did you mean `//{name}`?")),
        None if let Some(module) = pattern.as_module()
            && workspace.nearest_pkg(&workspace.here).is_ok() =>
        {
            diagnostic.help(format!("write a module of the current package as `{module}`"))
        }
        None => diagnostic.help("run `wake ls //...` to list the packages"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str, rooted: bool, path: &str, recursive: bool, module: Option<&str>) {
        let (path, module) = (path.to_owned(), module.map(str::to_owned));
        let text = text.to_owned();
        let configured = None;
        let expected = TargetPattern {
            text: text.clone(),
            rooted,
            path,
            recursive,
            module,
            configured,
            dependency: None,
        };
        let text = text.as_str();
        assert_eq!(TargetPattern::from(text), expected, "{text}");
    }

    fn means(text: &str, here: &str, label: &str) -> bool {
        let root = tempfile::tempdir().unwrap();
        for dir in ["", "web/deep", "libs", "lex"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        for dir in ["", "web"] {
            std::fs::write(root.path().join(dir).join(wake_model::place::PKG_FILE), "").unwrap();
        }
        let here = if here.is_empty() { RelPath::root() } else { here.parse().unwrap() };
        let root = root.path().to_owned();
        let dir = wake_store::ConfinedPath::top(&root).unwrap();
        let workspace = Workspace { root, dir, here, settings: Default::default() };
        TargetPattern::from(text).scope(&workspace).unwrap().contains(label)
    }

    #[test]
    fn patterns_match_labels() {
        assert!(means("//web:bundle", "", "//web:bundle"));
        assert!(means("//web:bundle", "libs", "//web:bundle opt=2"));
        assert!(means("//web:bundle opt=2", "libs", "//web:bundle opt=2"));
        assert!(!means("//web:bundle opt=2", "libs", "//web:bundle"));
        assert!(!means("//web:bundle opt=2", "libs", "//web:bundle opt=3"));
        assert!(means("//web:bundle", "libs", "//web:bundle url=http://a:8/ b"));
        assert!(means("//web:bundle@0a39a9a3", "libs", "//web:bundle k=v… @0a39a9a3"));
        assert!(!means("//web:bundle", "", "//web:bundle2"));
        assert!(means(":m", "", "//:m"));
        assert!(means(":m", "web", "//web:m"));
        assert!(means(":m", "web/deep", "//web:m"));
        assert!(means(".", "web/deep", "//web:m"));
        assert!(means("../lex", "web", "//lex:a"));
        assert!(means(".", "web", "//web:m"));
        assert!(means("...", "web", "//web/deep:m"));
        assert!(means("//...:m", "web", "//libs/z:m x=1"));
        assert!(means("//...", "", "//:m"));
        assert!(!means("//web/...", "", "//:m"));
        assert!(!means("//web/...", "", "//webs:m"));
        assert!(!means("web", "", "//webs:m"));
        assert!(means("acme/z@1.0.0:m", "web", "acme/z@1.0.0:m"));
        assert!(means("acme/z@1.0.0:m", "", "acme/z@1.0.0:m x=1"));
        assert!(!means("acme/z@1.0.0:m", "", "acme/z@1.0.0:m2"));
        assert!(!means("acme/z", "", "acme/z@1.0.0:m"));
        assert!(means("acme/z@1.0.0", "", "acme/z@1.0.0:m x=1"));
    }

    #[test]
    fn every_form_of_target_is_parsed() {
        check(".", false, ".", false, None);
        check("libs/z:core", false, "libs/z", false, Some("core"));
        check(":core", false, "", false, Some("core"));
        check("//", true, "", false, None);
        check("//libs/...", true, "libs/", true, None);
        check("//...:lib", true, "", true, Some("lib"));
        check("a...", false, "a...", false, None);
    }
}
