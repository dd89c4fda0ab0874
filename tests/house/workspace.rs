//! The crates of a workspace, from its `Cargo.toml` files.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::module::Crate;
use crate::read;
use crate::sources::Sources;

/// A crate as its `Cargo.toml` describes it.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder.
    dir: String,
    /// Its dependencies in every build, by package name.
    pub(crate) depends_on: BTreeSet<String>,
}

/// The members of the workspace, in their order in its `Cargo.toml`.
pub(crate) fn packages(sources: &dyn Sources) -> Result<Vec<Package>, String> {
    let workspace = table("Cargo.toml", sources)?;
    let workspace = workspace.get("workspace").and_then(Value::as_table);
    let members = workspace.and_then(|table| table.get("members")?.as_array());
    let members = members.ok_or("Cargo.toml: lists no members of a workspace")?;
    members
        .iter()
        .filter_map(Value::as_str)
        .map(|dir| {
            let manifest = table(&format!("{dir}/Cargo.toml"), sources)?;
            let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
            let name = name.ok_or_else(|| format!("{dir}/Cargo.toml: names no package"))?;
            Ok(Package {
                name: name.to_owned(),
                dir: dir.to_owned(),
                depends_on: dependencies(&manifest, workspace),
            })
        })
        .collect()
}

impl Package {
    /// Its `Cargo.toml`.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.dir)
    }

    /// Its library and its program, if it has them.
    pub(crate) fn crates(&self, sources: &dyn Sources) -> Result<Vec<Crate>, String> {
        let roots = ["lib.rs", "main.rs"].map(|root| format!("{}/src/{root}", self.dir));
        let present = roots.iter().filter(|root| sources.text(root).is_some());
        present.map(|root| read::read(&self.name, root, sources)).collect()
    }
}

/// The normal dependencies, including those for certain platforms. The workspace may rename packages.
fn dependencies(manifest: &Table, workspace: Option<&Table>) -> BTreeSet<String> {
    let shared = workspace.and_then(|table| table.get("dependencies")?.as_table());
    let package = |(name, how): (&String, &Value)| {
        let named = how.get("package").or_else(|| shared?.get(name)?.get("package"));
        named.and_then(Value::as_str).unwrap_or(name).to_owned()
    };
    let platforms = manifest.get("target").and_then(Value::as_table);
    let platforms = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let tables = [manifest].into_iter().chain(platforms);
    tables
        .filter_map(|table| table.get("dependencies")?.as_table())
        .flatten()
        .map(package)
        .collect()
}

fn table(path: &str, sources: &dyn Sources) -> Result<Table, String> {
    let text = sources.text(path).ok_or_else(|| format!("{path}: cannot be read"))?;
    text.parse().map_err(|error| format!("{path}: {error}"))
}
