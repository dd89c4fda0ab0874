//! `getPkg` and `pkg`: what a package is, and which others it needs.

use std::ops::ControlFlow;
use std::rc::Rc;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{IStr, Result, Val};
use serde_json::{Value, json};
use wake_model::nearest::nearest;
use wake_model::package::PKG_FILE;
use wake_model::{Name, RelPath};

use super::super::convert::{from_json, kind};
use super::super::env::Phase;
use super::super::lazy::{self, Fields, Shown};
use super::super::note::{Note, amend, refuse};
use super::super::resolve;
use super::super::write::{self, Json, text_of};
use super::call::is_tagged;
use super::pkg_info::{PkgInfo, Versions, check_info};
use super::{Call, Param, Spec, text_list};
use crate::sources::EntryKind;

/// What `wake.pkg` was given, checked.
pub(crate) struct PkgDecl {
    /// All but the function.
    pub(crate) declared: Rc<Declared>,
    pub(crate) inputs: Option<FuncVal>,
}

/// The declaration of a package as it is told to the one who asked for it.
pub(crate) struct Declared {
    files: Vec<IStr>,
    has_inputs: bool,
    metadata: Value,
    modules: Vec<(IStr, String)>,
    pkg_info: Rc<PkgInfo>,
    pkgs: Vec<(IStr, Rc<PkgRequest>)>,
}

/// What `wake.getPkg` was given, checked.
pub(crate) struct PkgRequest {
    from: Value,
    global: Value,
    permissions: Vec<IStr>,
    pkg_info: Rc<PkgInfo>,
}

impl Json for Declared {
    fn write(&self, out: &mut String) {
        let Declared { files, has_inputs, metadata, modules, pkg_info, pkgs } = self;
        write::object(
            &[
                ("files", files),
                ("has_inputs", has_inputs),
                ("metadata", metadata),
                ("modules", modules),
                ("pkgInfo", pkg_info),
                ("pkgs", pkgs),
            ],
            out,
        );
    }
}

impl Json for PkgRequest {
    fn write(&self, out: &mut String) {
        let PkgRequest { from, global, permissions, pkg_info } = self;
        write::object(
            &[
                ("from", from),
                ("global", global),
                ("permissions", permissions),
                ("pkgInfo", pkg_info),
            ],
            out,
        );
    }
}

/// Declares an object that shows what it says as JSON.
macro_rules! shown_as_json {
    ($($type:ty: $($name:literal)*;)*) => {$(
        impl Fields for Rc<$type> {
            fn each(&self, each: &mut dyn FnMut(&str, Shown) -> ControlFlow<()>) -> ControlFlow<()> {
                [$($name),*].into_iter().try_for_each(|name| each(name, Shown::Yes))
            }

            fn shown(&self, name: &str) -> Option<Shown> {
                [$($name),*].contains(&name).then_some(Shown::Yes)
            }

            fn value(&self, name: &str) -> Result<Option<Val>> {
                let json: Value = serde_json::from_str(&text_of(self)).unwrap_or_default();
                Ok(json.get(name).map(from_json))
            }
        }
    )*};
}

shown_as_json! {
    Declared: "files" "has_inputs" "metadata" "modules" "pkgInfo" "pkgs";
    PkgRequest: "from" "global" "permissions" "pkgInfo";
    PkgInfo: "name" "namespace" "version";
}

pub(crate) static GET_PKG: Spec = Spec {
    name: "wake.getPkg",
    params: &[
        Param::required("pkgInfo"),
        Param::optional("from"),
        Param::optional("global"),
        Param::optional("permissions"),
        Param::optional("permisions"),
    ],
    member: true,
    run: get_pkg,
};

pub(crate) static PKG: Spec = Spec {
    name: "wake.pkg",
    params: &[
        Param::required("pkgInfo"),
        Param::optional("files"),
        Param::optional("inputs"),
        Param::optional("pkgs"),
        Param::optional("modules"),
        Param::optional("metadata"),
    ],
    member: true,
    run: pkg,
};

fn get_pkg(call: &Call<'_>) -> Result<Val> {
    let pkg_info = check_info(call, Versions::Required)?;
    let from = source(call)?;
    let global = global(call)?;
    let permissions = match permissions(call, "permissions")? {
        given if given.is_empty() => permissions(call, "permisions")?,
        given => given,
    };
    let request = Rc::new(PkgRequest { from, global, permissions, pkg_info });
    let object = lazy::object(request.clone());
    call.env.requests.borrow_mut().insert(object.clone(), request);
    Ok(Val::Obj(object))
}

fn source(call: &Call<'_>) -> Result<Value> {
    match call.get("from")? {
        None => Ok(Value::Null),
        Some(Val::Str(text)) => {
            let text = text.into_flat();
            if !(text.starts_with("./")
                || text.starts_with("../")
                || *text == *"."
                || *text == *"..")
            {
                refuse!(
                    call.fault(
                        "from",
                        format!(
                            "must be a local path that starts with `./` or `../`, not `{text}`"
                        )
                    )
                    .hint("without `from`, the configured registries are asked")
                );
            }
            if text.contains('\0') {
                refuse!(call.fault("from", "holds a NUL character"));
            }
            Ok(Value::String(text.as_str().to_owned()))
        }
        Some(Val::Obj(object)) => {
            if let Some(exec) = call.env.execs.borrow().get(&object) {
                return exec.kept();
            }
            if is_tagged(&object, "global")? {
                return Ok(json!({"type": "global"}));
            }
            Err(source_type(call, &Val::Obj(object)).into())
        }
        Some(other) => Err(source_type(call, &other).into()),
    }
}

fn source_type(call: &Call<'_>, found: &Val) -> Note {
    call.expected("from", "a local path, wake.GLOBAL or wake.exec(...)", found)
}

fn global(call: &Call<'_>) -> Result<Value> {
    match call.get("global")? {
        None | Some(Val::Bool(false)) => Ok(Value::Null),
        Some(Val::Bool(true)) => Ok(Value::Bool(true)),
        Some(Val::Obj(object)) => {
            call.check_keys("global", &object, &["override"])?;
            match object.get("override".into())? {
                Some(Val::Num(rank))
                    if rank.get().fract() == 0.0 && (1.0..=100.0).contains(&rank.get()) =>
                {
                    Ok(json!({"override": rank.get() as u8}))
                }
                _ => Err(call.fault("global", "must have an `override` from 1 to 100").into()),
            }
        }
        Some(other) => Err(call.expected("global", "true or {override: 1..100}", &other).into()),
    }
}

fn permissions(call: &Call<'_>, argument: &str) -> Result<Vec<IStr>> {
    const KNOWN: [&str; 2] = ["defineGlobal", "network"];
    let Some(value) = call.get(argument)? else { return Ok(Vec::new()) };
    let given = text_list(call, argument, "a list of strings", &value)?;
    for permission in &given {
        if !KNOWN.contains(&permission.as_str()) {
            refuse!(
                Note::new(format!("there is no permission `{permission}`"))
                    .argument(argument)
                    .key(permission.as_str())
                    .suggest(nearest(permission, KNOWN))
                    .hint("the permissions are `defineGlobal` and `network`")
            );
        }
    }
    Ok(given)
}

fn pkg(call: &Call<'_>) -> Result<Val> {
    if call.env.phase.get() != Phase::Pkg {
        refuse!(Note::new("pkg() defines a package, and stands only in `PKG.libsonnet`"));
    }
    let pkg_info = check_info(call, Versions::Exact)?;
    let files = files(call)?;
    let inputs = call.function("inputs", &["wake", "pkg"])?;
    let pkgs = pkgs(call)?;
    let modules = modules(call)?;
    let metadata = call.json("metadata")?;
    let has_inputs = inputs.is_some();
    let declared = Rc::new(Declared { files, has_inputs, metadata, modules, pkg_info, pkgs });
    let object = lazy::object(declared.clone());
    call.env.pkgs.borrow_mut().insert(object.clone(), Rc::new(PkgDecl { declared, inputs }));
    Ok(Val::Obj(object))
}

fn files(call: &Call<'_>) -> Result<Vec<IStr>> {
    let Some(value) = call.get("files")? else { return Ok(Vec::new()) };
    if matches!(value, Val::Str(_)) {
        return Err(call.expected("files", "a list of paths", &value).into());
    }
    let texts = text_list(call, "files", "a list of paths", &value)?;
    let mut files = Vec::with_capacity(texts.len());
    for text in texts {
        let found = call.env.found.borrow().contains(&text);
        files.push(if found {
            text
        } else {
            own_file(call, "files", &text, &text)?.dotted().into()
        });
    }
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// A path to an existing file of the package, where `key` is what stands for it in the argument's source.
fn own_file(call: &Call<'_>, argument: &str, text: &str, key: &str) -> Result<RelPath> {
    let at = |note: Note| note.argument(argument).key(key);
    let path: RelPath = text
        .parse()
        .map_err(|error: wake_model::path::PathError| at(Note::new(error.to_string())))?;
    if path.components().next() == Some(".wake") {
        refuse!(at(Note::new(format!("`{text}` lies in `.wake`, where wake keeps its own files"))));
    }
    if let Some(border) = border(call, &path)? {
        refuse!(
            at(Note::new(format!(
                "`{text}` belongs to another package: `{border}` holds a {PKG_FILE}"
            )))
            .hint("name that package in `pkgs` and refer to its file as 'pkg.key./path'")
        );
    }
    match resolve::entry(call.env, &path).map_err(|error| amend(error, at))? {
        Some(EntryKind::File { .. } | EntryKind::Link) => Ok(path),
        Some(EntryKind::Dir) => Err(at(Note::new(format!("`{text}` is a directory")))
            .hint(format!("wake.dir('{}') lists the files below it", path.dotted()))
            .into()),
        Some(EntryKind::Other) => {
            Err(at(Note::new(format!("`{text}` is neither a file nor a link"))).into())
        }
        None => Err(missing(call, &path, text).argument(argument).key(key).into()),
    }
}

fn missing(call: &Call<'_>, path: &RelPath, text: &str) -> Note {
    let note = Note::new(format!("there is no file `{text}` in the package"));
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return note };
    let Ok(Some(entries)) = call.env.list(&parent) else { return note };
    note.suggest(nearest(name, entries.iter().map(|entry| entry.name.as_str())))
}

/// The first directory on the way to `path` that is another package.
fn border(call: &Call<'_>, path: &RelPath) -> Result<Option<RelPath>> {
    let Some(above) = path.parent().filter(|above| !above.is_root()) else { return Ok(None) };
    if call.env.inside.borrow().contains(&above) {
        return Ok(None);
    }
    let mut dir = RelPath::root();
    for component in above.components() {
        dir = dir.child(component).map_err(|error| Note::new(error.to_string()))?;
        let Some(entries) = call.env.list(&dir)? else { return Ok(None) };
        if resolve::find(&entries, PKG_FILE).is_some() {
            return Ok(Some(dir));
        }
    }
    call.env.inside.borrow_mut().insert(above);
    Ok(None)
}

fn pkgs(call: &Call<'_>) -> Result<Vec<(IStr, Rc<PkgRequest>)>> {
    let mut pkgs = Vec::new();
    let Some(object) = call.object("pkgs")? else { return Ok(pkgs) };
    for key in object.fields() {
        let value = object.get(key.clone())?.unwrap_or(Val::Null);
        let request = match &value {
            Val::Obj(object) => call.env.requests.borrow().get(object).cloned(),
            _ => None,
        };
        let Some(request) = request else {
            refuse!(
                call.fault(
                    "pkgs",
                    format!("must hold wake.getPkg(...) as `{key}`, not {}", kind(&value))
                )
                .key(key.as_str())
            );
        };
        pkgs.push((key, request));
    }
    Ok(pkgs)
}

fn modules(call: &Call<'_>) -> Result<Vec<(IStr, String)>> {
    let mut modules = Vec::new();
    let Some(object) = call.object("modules")? else { return Ok(modules) };
    for name in object.fields() {
        check_module_name(&name)
            .map_err(|note| note.argument("modules").key(name.as_str()).at_key())?;
        let value = object.get(name.clone())?.unwrap_or(Val::Null);
        let Val::Str(path) = &value else {
            refuse!(
                call.fault(
                    "modules",
                    format!("must hold the path of a file as `{name}`, not {}", kind(&value))
                )
                .key(name.as_str())
            );
        };
        let path = own_file(call, "modules", &path.clone().into_flat(), &name)?;
        modules.push((name, path.dotted()));
    }
    Ok(modules)
}

/// Refuses what cannot be a component of a path and part of an id.
pub(crate) fn check_module_name(name: &str) -> std::result::Result<(), Note> {
    let fits = name
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_alphanumeric() || (at > 0 && (c == '_' || c == '-')));
    if !name.is_empty() && name.len() <= Name::MAX && fits {
        return Ok(());
    }
    Err(Note::new(format!("`{name}` cannot name a module"))
        .hint("names of modules are letters, digits, `_` and `-`, starting with a letter or digit, at most 64"))
}
