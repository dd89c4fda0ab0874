//! References to the exec that retrieves a package.

use serde_json::Value;
use wake_model::nearest::nearest;
use wake_model::reflike::Reflike;
use wake_model::{GetPkg, NameMap, PkgName};

/// The package whose exec retrieves another one, as known to the dependent package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retriever {
    /// Its key there.
    pub(crate) key: String,
    /// Its name, without a version.
    pub(crate) name: PkgName,
}

/// Why an exec cannot retrieve packages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRetriever {
    /// It is not a file of a package.
    #[error("the retriever is not a file of another package")]
    NotOfPackage,
    /// It is a file of an unknown package.
    #[error("there is no package `{key}` here")]
    Unknown {
        /// The key.
        key: String,
        /// A similar key that exists.
        near: Option<String>,
    },
}

impl NoRetriever {
    /// Returns a remedy.
    pub(crate) fn help(&self) -> String {
        match self {
            NoRetriever::Unknown { near: Some(near), .. } => format!("did you mean `{near}`?"),
            NoRetriever::NotOfPackage | NoRetriever::Unknown { .. } => {
                "add the package to `pkgs`, and give its file: `from=wake.exec('pkg.KEY./retrieve')`"
                    .to_owned()
            }
        }
    }
}

impl Retriever {
    /// Returns the retriever for `exec`, which a package with these `pkgs` declares.
    pub(crate) fn of(exec: &Value, pkgs: &NameMap<GetPkg>) -> Result<Retriever, NoRetriever> {
        let Some(Reflike::Pkg(key, Some(onward))) = exec.get("ref").and_then(reference) else {
            return Err(NoRetriever::NotOfPackage);
        };
        if !matches!(*onward, Reflike::File(_) | Reflike::Input(_)) {
            return Err(NoRetriever::NotOfPackage);
        }
        let Some(get) = pkgs.get(&key) else {
            let near = nearest(&key, pkgs.keys().map(String::as_str)).map(str::to_owned);
            return Err(NoRetriever::Unknown { key, near });
        };
        Ok(Retriever { key, name: get.request.pkg_name() })
    }
}

/// Parses a reference that was left unresolved.
pub(crate) fn reference(value: &Value) -> Option<Reflike> {
    if value.get("type")?.as_str()? != "ref" {
        return None;
    }
    match value.get("from")? {
        Value::String(text) => text.parse().ok(),
        Value::Array(parts) => {
            let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            Reflike::from_parts(&parts?).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn pkgs() -> NameMap<GetPkg> {
        let get = json!({
            "from": "./tool", "global": null, "permissions": [],
            "pkgInfo": { "name": "wheels", "version": "*", "namespace": "acme" },
        });
        let get: GetPkg = serde_json::from_value(get).unwrap();
        [("tool".to_owned(), get)].into_iter().collect()
    }

    fn of(from: &Value) -> Result<Retriever, NoRetriever> {
        Retriever::of(&json!({ "type": "exec", "ref": { "type": "ref", "from": from } }), &pkgs())
    }

    #[test]
    fn a_retriever_is_a_file_of_a_named_package() {
        let retriever = Retriever { key: "tool".to_owned(), name: "acme/wheels".parse().unwrap() };
        for from in [
            json!("pkg.tool./retrieve"),
            json!(["pkgs", "tool", "./retrieve"]),
            json!("pkg.tool.input.retrieve"),
        ] {
            assert_eq!(of(&from).as_ref(), Ok(&retriever), "{from}");
        }
    }

    #[test]
    fn anything_else_is_not_a_retriever() {
        for from in [json!("./retrieve"), json!("pkg.tool"), json!("input.x"), json!(7)] {
            assert_eq!(of(&from), Err(NoRetriever::NotOfPackage), "{from}");
        }
        let program = json!({ "ref": { "type": "program", "name": "cc" } });
        assert_eq!(Retriever::of(&program, &pkgs()), Err(NoRetriever::NotOfPackage));
        let error = of(&json!("pkg.tools./retrieve")).unwrap_err();
        assert_eq!(
            (error.to_string(), error.help()),
            ("there is no package `tools` here".to_owned(), "did you mean `tool`?".to_owned())
        );
    }
}
