//! References in the exec of a retriever, as seen from its own package.

use serde_json::{Value, json};
use wake_model::place::pkg_prefix;
use wake_model::reflike::Reflike;

use crate::instance::{Instances, PkgInstance};
use crate::retriever::reference;

/// The package of the exec, and its key in the package that declares the exec.
pub(super) struct Standpoint<'a> {
    pub(super) key: &'a str,
    pub(super) pkg: &'a PkgInstance,
    pub(super) instances: &'a Instances,
}

/// A reference that is not allowed in a retriever's exec.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReferenceError {
    #[error(
        "the exec refers to `{0}`, but a retriever can use only its own package and that package's dependencies"
    )]
    Outside(String),
    #[error("the exec refers to `{0}`, which does not exist")]
    Absent(String),
}

impl Standpoint<'_> {
    /// Returns the value with its references resolved.
    pub(super) fn resolved(&self, value: &Value) -> Result<Value, ReferenceError> {
        let outside = |what: String| Err(ReferenceError::Outside(what));
        let tag = value.get("type").and_then(Value::as_str);
        match value {
            Value::Object(_) if tag == Some("ref") => match reference(value) {
                Some(Reflike::Pkg(key, onward)) if key == self.key => {
                    let absent = || ReferenceError::Absent(written(&key, onward.as_deref()));
                    self.walk(self.pkg, "./", onward.as_deref()).ok_or_else(absent)
                }
                Some(other) => outside(other.to_string()),
                None => outside(value.get("from").unwrap_or(value).to_string()),
            },
            // A file of the declaring package; fetched files have no path yet.
            Value::Object(fields) if tag == Some("file") && !fields.contains_key("fetch") => {
                let path = value.get("path").and_then(Value::as_str).unwrap_or_default();
                outside(path.to_owned())
            }
            Value::Object(_) if matches!(tag, Some("pkg" | "module")) => {
                let path = value.get("path").and_then(Value::as_str).unwrap_or_default();
                outside(path.to_owned())
            }
            Value::Object(fields) => {
                let field =
                    |(name, value): (&String, &Value)| Ok((name.clone(), self.resolved(value)?));
                fields.iter().map(field).collect::<Result<_, _>>().map(Value::Object)
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.resolved(item));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            _ => Ok(value.clone()),
        }
    }

    /// Returns the end of a reference that starts in `pkg`, whose files are below `prefix`.
    fn walk(&self, pkg: &PkgInstance, prefix: &str, onward: Option<&Reflike>) -> Option<Value> {
        match onward {
            None => Some(json!({ "type": "pkg", "path": prefix })),
            Some(Reflike::File(path)) => {
                let path = format!("{prefix}{path}");
                Some(json!({ "type": "file", "path": path, "from": null, "dump": false }))
            }
            Some(Reflike::Input(keys)) => {
                let mut value = match prefix {
                    "./" => pkg.inputs(),
                    _ => serde_json::from_str::<Value>(&pkg.outside()).ok()?["inputs"].take(),
                };
                for key in keys {
                    let next = match &mut value {
                        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?)?.take(),
                        object => object.get_mut(key)?.take(),
                    };
                    value = next;
                }
                Some(value)
            }
            Some(Reflike::Pkg(key, onward)) => {
                let dep = self.instances.get(pkg.dep(key)?)?;
                self.walk(dep, &pkg_prefix(&dep.key), onward.as_deref())
            }
            Some(Reflike::Output(_) | Reflike::Module(..)) => None,
        }
    }
}

fn written(key: &str, onward: Option<&Reflike>) -> String {
    match onward {
        None => format!("pkg.{key}"),
        Some(file @ Reflike::File(_)) => format!("pkg.{key}{file}"),
        Some(more) => format!("pkg.{key}.{more}"),
    }
}
