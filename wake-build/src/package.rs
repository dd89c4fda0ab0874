//! What a `PKG.libsonnet` said, typed.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wake_model::package::PkgRequest;
use wake_model::{GetPkg, GlobalRule, Permission, PkgInfo, PkgSource, RelPath};

use crate::named::Named;

/// The declaration of a package.
#[derive(Clone, Debug)]
pub(crate) struct PackageDecl {
    /// Who it is.
    pub info: PkgInfo,
    /// The files it names.
    pub files: Vec<RelPath>,
    /// Its packages, by the key it knows them under.
    pub pkgs: Named<GetPkg>,
    /// The files of its modules.
    pub modules: Named<RelPath>,
    /// Whether it has inputs to compute.
    pub has_inputs: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
struct DeclJson {
    #[serde(rename = "pkgInfo")]
    pkg_info: PkgInfo,
    files: Vec<RelPath>,
    pkgs: Named<GetPkgJson>,
    modules: Named<RelPath>,
    has_inputs: bool,
}

#[derive(Deserialize)]
struct GetPkgJson {
    #[serde(rename = "pkgInfo")]
    pkg_info: PkgRequest,
    from: Value,
    global: Value,
    permissions: Option<Vec<String>>,
}

/// A declaration that is not of the form that the evaluator promises: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("the declaration has an unexpected form: {0}")]
pub(crate) struct DeclError(String);

impl PackageDecl {
    /// Reads what the evaluation of a package file gave.
    pub(crate) fn parse(text: &RawValue) -> Result<PackageDecl, DeclError> {
        let decl: DeclJson =
            serde_json::from_str(text.get()).map_err(|e| DeclError(e.to_string()))?;
        let mut files = decl.files;
        if !files.is_sorted() {
            files.sort();
        }
        files.dedup();
        let pkgs = decl.pkgs.into_iter().map(|(key, get)| Ok((key, get_pkg(get)?)));
        Ok(PackageDecl {
            info: decl.pkg_info,
            files,
            pkgs: pkgs.collect::<Result<_, DeclError>>()?,
            modules: decl.modules,
            has_inputs: decl.has_inputs,
        })
    }
}

fn get_pkg(json: GetPkgJson) -> Result<GetPkg, DeclError> {
    let GetPkgJson { pkg_info, from, global, permissions } = json;
    let from = match from {
        Value::Null => PkgSource::Registry,
        Value::String(path) => PkgSource::Local(path),
        Value::Object(ref fields) if fields.get("type") == Some(&Value::from("global")) => {
            PkgSource::Global
        }
        exec => PkgSource::Retriever(exec),
    };
    let global = match &global {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(GlobalRule { rank: 0 }),
        rule => {
            let rank = rule
                .get("override")
                .and_then(Value::as_u64)
                .and_then(|rank| u8::try_from(rank).ok());
            Some(GlobalRule { rank: rank.ok_or_else(|| DeclError(format!("global {rule}")))? })
        }
    };
    let permission = |name: String| {
        let known = Permission::ALL.into_iter().find(|p| p.as_str() == name);
        known.ok_or_else(|| DeclError(format!("permission `{name}`")))
    };
    let permissions =
        permissions.unwrap_or_default().into_iter().map(permission).collect::<Result<_, _>>()?;
    Ok(GetPkg { request: pkg_info, from, global, permissions })
}
