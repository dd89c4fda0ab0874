//! Values as seen from outside the package or module they belong to.
//!
//! Inside, one's own files are `./x`. Outside, they lie below `./.wake/pkgs/<package>/` or
//! `./.wake/modules/<module>/`, the same place for whoever looks; such paths stay as they are.

use wake_model::json::push_text;
use wake_model::{PkgKey, RelPath};

use crate::written::Written;

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
    [PKGS_DIR, key.as_str(), "/"].concat()
}

/// The directory of a module, as other modules see it: ends in `/`.
pub(crate) fn module_prefix(id: &str) -> String {
    [MODULES_DIR, id, "/"].concat()
}

/// What a value stands for where it is one of the objects that wake gives a meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Special<'a> {
    /// A file object.
    File {
        /// As seen from where the value stands; a trailing `/` names a directory.
        path: &'a str,
        /// What it is made from, if it is made.
        from: &'a Written<'a>,
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
pub(crate) fn special<'v>(value: &'v Written<'v>) -> Option<Special<'v>> {
    let Written::Fields(fields) = value else { return None };
    // Most are file objects, whose fields are these, sorted as all are.
    if let [
        (dump_name, Written::Bool(dump)),
        (from_name, from),
        (path_name, Written::Text(path)),
        (type_name, Written::Text(kind)),
    ] = fields.as_slice()
        && [dump_name, from_name, path_name, type_name, kind]
            == ["dump", "from", "path", "type", "file"]
    {
        return Some(Special::File { path, from, dump: *dump });
    }
    let text = |name: &str| value.get(name).and_then(Written::as_str);
    match text("type")? {
        "pkg" => Some(Special::Pkg { path: text("path")? }),
        "module" if value.get("module").is_some() => Some(Special::Module),
        _ => None,
    }
}

/// Writes the canonical text of the value with every path of one's own put below the directory that `prefix` names,
/// which ends in `/`.
pub(crate) fn push_outside<'p>(
    value: &Written<'_>,
    prefix: &dyn Fn(&RelPath) -> &'p str,
    out: &mut String,
) {
    let own = match special(value) {
        Some(Special::File { path, .. }) => Place::parse(path).and_then(|place| match place {
            Place::Own(own) => Some((path, own)),
            Place::Pkg(..) | Place::Module(..) => None,
        }),
        _ => None,
    };
    let moved = own.map(|(path, own)| {
        let slash = if path.ends_with('/') { "/" } else { "" };
        format!("{}{own}{slash}", prefix(&own))
    });
    value.push_with(out, &mut |name, inner, out| match (&moved, name) {
        (Some(moved), Some("path")) => push_text(moved, out),
        _ => push_outside(inner, prefix, out),
    });
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
        let (text, prefix) = (value.to_string(), pkg_prefix(&key));
        let mut seen = String::new();
        push_outside(&serde_json::from_str(&text).unwrap(), &|_| &prefix, &mut seen);
        let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
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
