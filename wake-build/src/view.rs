//! Values as seen from outside the package or module they belong to.
//!
//! Inside, own files are `./x`. Outside, they are below `./.wake/pkgs/<package>/` or
//! `./.wake/modules/<module>/`, the same path for every viewer; such paths stay as they are.

use wake_model::RelPath;
use wake_model::json::push_text;
use wake_model::place::LocalPath;

use crate::written::JsonValue;

/// The meaning of a value that is one of wake's special objects.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Special<'a> {
    /// A file object.
    File {
        /// Its path from where the value is; a trailing `/` means a directory.
        path: &'a str,
        /// What it is created from, if it is.
        from: &'a JsonValue<'a>,
        /// Whether `from` is written as JSON.
        dump: bool,
        /// Its content, if that is given.
        text: Option<&'a str>,
    },
    /// A file or directory to fetch.
    Fetched {
        /// Its path, the same for every viewer.
        path: &'a str,
        /// What to fetch.
        fetch: &'a JsonValue<'a>,
    },
    /// A whole package.
    Pkg {
        /// Its directory.
        path: &'a str,
    },
    /// A module.
    Module {
        /// Its directory, if given.
        path: Option<&'a str>,
    },
}

impl<'a> Special<'a> {
    /// Returns its path, if given.
    pub(crate) fn path(&self) -> Option<&'a str> {
        match *self {
            Special::File { path, .. } | Special::Fetched { path, .. } | Special::Pkg { path } => {
                Some(path)
            }
            Special::Module { path } => path,
        }
    }
}

/// Recognises wake's special objects.
pub(crate) fn special<'v>(value: &'v JsonValue<'v>) -> Option<Special<'v>> {
    let JsonValue::Fields(fields) = value else { return None };
    // Most are file objects, with these fields in sorted order.
    if let [
        (dump_name, JsonValue::Bool(dump)),
        (from_name, from),
        (path_name, JsonValue::Text(path)),
        (type_name, JsonValue::Text(kind)),
    ] = fields.as_slice()
        && [dump_name, from_name, path_name, type_name, kind]
            == ["dump", "from", "path", "type", "file"]
    {
        return Some(Special::File { path, from, dump: *dump, text: None });
    }
    if let [
        (dump_name, JsonValue::Bool(dump)),
        (from_name, from),
        (path_name, JsonValue::Text(path)),
        (text_name, JsonValue::Text(text)),
        (type_name, JsonValue::Text(kind)),
    ] = fields.as_slice()
        && [dump_name, from_name, path_name, text_name, type_name, kind]
            == ["dump", "from", "path", "text", "type", "file"]
    {
        return Some(Special::File { path, from, dump: *dump, text: Some(text) });
    }
    let text = |name: &str| value.get(name).and_then(JsonValue::as_str);
    match text("type")? {
        "file" => Some(Special::Fetched { path: text("path")?, fetch: value.get("fetch")? }),
        "pkg" => Some(Special::Pkg { path: text("path")? }),
        "module" if value.get("module").is_some() => Some(Special::Module { path: text("path") }),
        _ => None,
    }
}

/// Writes the canonical text of the value, with every own path moved below the directory `prefix`,
/// which ends in `/`.
pub(crate) fn push_outside<'p>(
    value: &JsonValue<'_>,
    prefix: &dyn Fn(&RelPath) -> &'p str,
    out: &mut String,
) {
    let own = match special(value) {
        Some(Special::File { path, .. }) => LocalPath::parse(path).and_then(|place| match place {
            LocalPath::Own(own) => Some((path, own)),
            LocalPath::Pkg(..) | LocalPath::Module(..) => None,
        }),
        _ => None,
    };
    let moved = own.map(|(path, own)| {
        // For the root, the prefix already ends in `/`.
        let slash = if path.ends_with('/') && !own.is_root() { "/" } else { "" };
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
    use wake_model::PkgKey;
    use wake_model::place::pkg_prefix;

    #[test]
    fn own_paths_are_moved_and_others_kept() {
        let value = json!([
            {"type": "file", "path": "./a/b", "from": null, "dump": false},
            {"type": "file", "path": "./d/", "from": null, "dump": false},
            {"type": "file", "path": "./.wake/pkgs/@z@1.0.0/x", "from": null, "dump": false},
            {"path": "./a/b"},
            {"type": "file", "path": "./", "from": null, "dump": false},
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
        assert_eq!(seen[4]["path"], "./.wake/pkgs/acme@p@1.0.0/");
    }
}
