//! Values as seen from outside the package or module they belong to.
//!
//! Inside, one's own files are `./x`. Outside, they lie below `./.wake/pkgs/<package>/` or
//! `./.wake/modules/<module>/`, the same place for whoever looks; such paths stay as they are.

use serde_json::Value;
use wake_model::{PkgKey, RelPath};

/// Where the things of other packages lie, as a command sees it from its working directory.
pub(crate) const PKGS_DIR: &str = "./.wake/pkgs/";
/// Where the outputs of other modules lie.
pub(crate) const MODULES_DIR: &str = "./.wake/modules/";

/// What a path in a value names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Something of one's own.
    Own(RelPath),
    /// Something of a package.
    Pkg(PkgKey, RelPath),
    /// Something of a module, by its name in paths.
    Module(String, RelPath),
}

impl Place {
    /// Reads a path as it stands in a file object; none if it is no path of a package.
    pub(crate) fn parse(path: &str) -> Option<Place> {
        let split = |rest: &str| -> Option<(String, RelPath)> {
            let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
            let below = if below.is_empty() { RelPath::root() } else { below.parse().ok()? };
            (!name.is_empty()).then(|| (name.to_owned(), below))
        };
        if let Some(rest) = path.strip_prefix(PKGS_DIR) {
            let (key, below) = split(rest)?;
            return Some(Place::Pkg(key.parse().ok()?, below));
        }
        if let Some(rest) = path.strip_prefix(MODULES_DIR) {
            let (id, below) = split(rest)?;
            return Some(Place::Module(id, below));
        }
        path.parse().ok().map(Place::Own)
    }
}

/// The directory of a package, as other packages see it: ends in `/`.
pub(crate) fn pkg_prefix(key: &PkgKey) -> String {
    format!("{PKGS_DIR}{key}/")
}

/// The directory of a module, as other modules see it: ends in `/`.
pub(crate) fn module_prefix(id: &str) -> String {
    format!("{MODULES_DIR}{id}/")
}

/// What a value stands for where it is one of the objects that wake gives a meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Special<'a> {
    /// A file object.
    File {
        /// As seen from where the value stands; a trailing `/` names a directory.
        path: &'a str,
        /// What it is made from, if it is made.
        from: &'a Value,
        /// Whether `from` is to be written as JSON.
        dump: bool,
    },
    /// A whole package.
    Pkg {
        /// Its directory.
        path: &'a str,
    },
    /// A module.
    Module,
}

/// Tells the objects that mean something to wake from all others.
pub(crate) fn special(value: &Value) -> Option<Special<'_>> {
    let fields = value.as_object()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    match text("type")? {
        "file" if fields.len() == 4 => Some(Special::File {
            path: text("path")?,
            from: fields.get("from")?,
            dump: fields.get("dump")?.as_bool()?,
        }),
        "pkg" => Some(Special::Pkg { path: text("path")? }),
        "module" if fields.contains_key("module") => Some(Special::Module),
        _ => None,
    }
}

/// The value with every path of one's own put below the directory that `prefix` names.
pub(crate) fn outside(value: &Value, prefix: &dyn Fn(&RelPath) -> String) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| outside(item, prefix)).collect(),
        Value::Object(fields) => {
            let is_file = matches!(special(value), Some(Special::File { .. }));
            let field = |(name, field): (&String, &Value)| match (is_file, name.as_str(), field) {
                (true, "path", Value::String(path)) => {
                    (name.clone(), outside_path(path, prefix).into())
                }
                _ => (name.clone(), outside(field, prefix)),
            };
            fields.iter().map(field).collect()
        }
        other => other.clone(),
    }
}

fn outside_path(path: &str, prefix: &dyn Fn(&RelPath) -> String) -> String {
    match Place::parse(path) {
        Some(Place::Own(own)) => {
            let slash = if path.ends_with('/') { "/" } else { "" };
            format!("{}{own}{slash}", prefix(&own))
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn own_paths_move_and_others_stay() {
        let value = json!([
            {"type": "file", "path": "./a/b", "from": null, "dump": false},
            {"type": "file", "path": "./d/", "from": null, "dump": false},
            {"type": "file", "path": "./.wake/pkgs/@z@1.0.0/x", "from": null, "dump": false},
            {"path": "./a/b"},
        ]);
        let key: PkgKey = "acme@p@1.0.0".parse().unwrap();
        let seen = outside(&value, &|_| pkg_prefix(&key));
        assert_eq!(seen[0]["path"], "./.wake/pkgs/acme@p@1.0.0/a/b");
        assert_eq!(seen[1]["path"], "./.wake/pkgs/acme@p@1.0.0/d/");
        assert_eq!(seen[2], value[2]);
        assert_eq!(seen[3], value[3]);
    }

    #[test]
    fn places() {
        let own = Place::parse("./src/a.c").unwrap();
        assert_eq!(own, Place::Own("src/a.c".parse().unwrap()));
        let whole = Place::parse("./.wake/pkgs/@z@1.0.0/").unwrap();
        assert_eq!(whole, Place::Pkg("@z@1.0.0".parse().unwrap(), RelPath::root()));
        let output = Place::parse("./.wake/modules/@z@1.0.0@lib@0123/lib/libz.a").unwrap();
        assert_eq!(
            output,
            Place::Module("@z@1.0.0@lib@0123".into(), "lib/libz.a".parse().unwrap())
        );
        assert_eq!(Place::parse("/etc/passwd"), None);
    }
}
