//! `pkgInfo`: the identity of a package, or a requirement.

use std::rc::Rc;

use jrsonnet_evaluator::{IStr, ObjValue, Result, Val};
use wake_model::{Name, Requirement, Version};

use super::call::{Call, Param, Spec};
use crate::engine::json::write::{Json, Object};
use crate::engine::json::{kind, shown};
use crate::engine::note::{Note, refuse};

/// The checked arguments of `wake.pkgInfo`.
pub(crate) struct PkgInfoDecl {
    name: IStr,
    namespace: Option<IStr>,
    version: IStr,
    /// Whether the version is known to be a requirement.
    is_requirement: bool,
}

pub(crate) static PKG_INFO: Spec = Spec {
    name: "wake.pkgInfo",
    params: &[Param::required("name"), Param::required("version"), Param::optional("namespace")],
    member: true,
    run: pkg_info,
};

impl Json for PkgInfoDecl {
    fn write(&self, out: &mut String) {
        let PkgInfoDecl { name, namespace, version, is_requirement: _ } = self;
        Object(&[("name", name), ("namespace", namespace), ("version", version)]).write(out);
    }
}

fn pkg_info(call: &Call<'_>) -> Result<Val> {
    let name = call.required_text("name")?;
    name.parse::<Name>().map_err(|error| Note::new(error.to_string()).argument("name"))?;
    let version = call.required_text("version")?;
    // Most are requirements; a version may look like one, too.
    let requirement = version.parse::<Requirement>();
    if let Err(error) = &requirement
        && version.parse::<Version>().is_err()
    {
        refuse!(Note::new(error.to_string()).argument("version"));
    }
    let namespace = call.text("namespace")?;
    if let Some(namespace) = &namespace {
        namespace
            .parse::<Name>()
            .map_err(|error| Note::new(error.to_string()).argument("namespace"))?;
    }
    let is_requirement = requirement.is_ok();
    let info = Rc::new(PkgInfoDecl { name, namespace, version, is_requirement });
    Ok(call.env.declarations.keep(shown(info.clone()), info))
}

/// Whether a `pkgInfo` must have an exact version or a requirement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    Exact,
    Required,
}

/// Returns the checked `pkgInfo` argument of a call.
pub(crate) fn check_info(call: &Call<'_>, versions: Versions) -> Result<Rc<PkgInfoDecl>> {
    let Some(object) = call.object("pkgInfo")? else {
        refuse!(
            call.expected("pkgInfo", "an object", &Val::Null)
                .hint("use wake.pkgInfo(name, version)")
        );
    };
    let info = match call.env.declarations.get::<PkgInfoDecl>(&object) {
        Some(info) => info,
        None => Rc::new(written_info(call, &object)?),
    };
    let version = &info.version;
    let checked = match versions {
        Versions::Exact => version.parse::<Version>().map(drop),
        Versions::Required if info.is_requirement => Ok(()),
        Versions::Required => version.parse::<Requirement>().map(drop),
    };
    checked.map_err(|error| {
        let note = info_fault(version, error.to_string());
        match versions {
            Versions::Exact => {
                note.hint("a package needs an exact version with three numbers, such as 1.2.3")
            }
            Versions::Required => note.hint("write a requirement as ^1.2, >=1, <3 or *"),
        }
    })?;
    Ok(info)
}

/// The fault points at the value in the source, in the arguments of pkgInfo() or in an object.
fn info_fault(value: &str, message: String) -> Note {
    Note::new(message).argument("pkgInfo").key(value)
}

/// Checks a `pkgInfo` that was written as an object.
fn written_info(call: &Call<'_>, object: &ObjValue) -> Result<PkgInfoDecl> {
    call.check_keys("pkgInfo", object, &["name", "version", "namespace"])?;
    let text = |key: &str| -> Result<Option<IStr>> {
        match object.get(key.into())? {
            None | Some(Val::Null) => Ok(None),
            Some(Val::Str(text)) => Ok(Some(text.into_flat())),
            Some(other) => Err(call
                .fault("pkgInfo", format!("must have a string as `{key}`, not {}", kind(&other)))
                .key(key)
                .into()),
        }
    };
    let required = |key: &str| -> Result<IStr> {
        text(key)?.ok_or_else(|| call.fault("pkgInfo", format!("has no `{key}`")).into())
    };
    let (name, version, namespace) = (required("name")?, required("version")?, text("namespace")?);
    name.parse::<Name>().map_err(|error| info_fault(&name, error.to_string()))?;
    if let Some(namespace) = &namespace {
        namespace.parse::<Name>().map_err(|error| info_fault(namespace, error.to_string()))?;
    }
    Ok(PkgInfoDecl { name, namespace, version, is_requirement: false })
}
