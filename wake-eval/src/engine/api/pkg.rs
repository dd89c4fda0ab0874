//! `getPkg` and `pkg`: declarations of packages and dependencies.

use std::rc::Rc;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{IStr, ObjValue, Result, Val};
use serde_json::{Value, json};
use wake_model::nearest::nearest;
use wake_model::place::PKG_FILE;
use wake_model::{Name, Permission, RelPath};

use super::call::{Call, Param, Spec, check_takes, is_tagged, text_list};
use super::exec::ExecDecl;
use super::option::is_option_name;
use super::pkg_info::{PkgInfoDecl, Versions, check_info};
use crate::EntryKind;
use crate::engine::env::{Early, Phase, PkgPart};
use crate::engine::json::write::{Json, Object};
use crate::engine::json::{json_kind, kind, shown};
use crate::engine::note::{Nature, Note, amend, refuse};

/// The checked arguments of `wake.pkg`, as far as they are needed.
pub(crate) struct PkgDecl {
    /// Everything except the functions.
    pub(crate) said: Rc<PkgSaid>,
    pub(crate) inputs: Option<FuncVal>,
    /// The argument `modules`, if its functions are needed.
    pub(crate) modules: Option<ObjValue>,
}

/// The declaration of a package as it is returned to the requester.
pub(crate) enum PkgSaid {
    Whole(PkgData),
    Late(LateData),
    Nothing,
}

/// The complete declaration.
pub(crate) struct PkgData {
    files: Vec<IStr>,
    has_inputs: bool,
    imports: Vec<String>,
    /// `None` if it requires the dependencies.
    late: Option<LateData>,
    options: Value,
    pkg_info: Rc<PkgInfoDecl>,
    pkgs: Vec<(IStr, Rc<GetPkgDecl>)>,
    profiles: Value,
}

/// The part that may require the dependencies.
pub(crate) struct LateData {
    metadata: Value,
    modules: Vec<(IStr, ModuleAt)>,
}

/// Where the function of a module is.
enum ModuleAt {
    File(String),
    Inline,
}

/// The checked arguments of `wake.getPkg`.
pub(crate) struct GetPkgDecl {
    from: Value,
    global: Value,
    permissions: Vec<IStr>,
    pkg_info: Rc<PkgInfoDecl>,
}

impl Json for PkgSaid {
    fn write(&self, out: &mut String) {
        match self {
            PkgSaid::Whole(data) => data.write(out),
            PkgSaid::Late(LateData { metadata, modules }) => {
                Object(&[("metadata", metadata), ("modules", modules)]).write(out);
            }
            PkgSaid::Nothing => Value::Null.write(out),
        }
    }
}

impl Json for ModuleAt {
    fn write(&self, out: &mut String) {
        match self {
            ModuleAt::File(path) => path.write(out),
            ModuleAt::Inline => Object(&[("type", &"function")]).write(out),
        }
    }
}

impl Json for PkgData {
    fn write(&self, out: &mut String) {
        let PkgData { files, has_inputs, imports, late, options, pkg_info, pkgs, profiles } = self;
        let metadata = late.as_ref().map_or(&Value::Null, |late| &late.metadata);
        let modules: &dyn Json = match late {
            Some(late) => &late.modules,
            None => &Value::Null,
        };
        let mut fields: Vec<(&'static str, &dyn Json)> = vec![
            ("files", files),
            ("has_inputs", has_inputs),
            ("imports", imports),
            ("metadata", metadata),
            ("modules", modules),
            ("pkgInfo", pkg_info),
            ("pkgs", pkgs),
        ];
        for (name, said) in [("options", options), ("profiles", profiles)] {
            if !said.is_null() {
                fields.push((name, said));
            }
        }
        Object(&fields).write(out);
    }
}

impl Json for GetPkgDecl {
    fn write(&self, out: &mut String) {
        let GetPkgDecl { from, global, permissions, pkg_info } = self;
        Object(&[
            ("from", from),
            ("global", global),
            ("permissions", permissions),
            ("pkgInfo", pkg_info),
        ])
        .write(out);
    }
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
        Param::optional("imports"),
        Param::optional("options"),
        Param::optional("profiles"),
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
    let request = Rc::new(GetPkgDecl { from, global, permissions, pkg_info });
    Ok(call.env.declarations.keep(shown(request.clone()), request))
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
                    .hint("omit `from` to get the package from a registry")
                );
            }
            if text.contains('\0') {
                refuse!(call.fault("from", "contains a NUL character"));
            }
            Ok(Value::String(text.as_str().to_owned()))
        }
        Some(Val::Obj(object)) => {
            if let Some(exec) = call.env.declarations.get::<ExecDecl>(&object) {
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
    let known = Permission::ALL.each_ref().map(AsRef::as_ref);
    let Some(value) = call.get(argument)? else { return Ok(Vec::new()) };
    let given = text_list(call, argument, "a list of strings", &value)?;
    for permission in &given {
        if !known.contains(&permission.as_str()) {
            refuse!(
                Note::new(format!("there is no permission `{permission}`"))
                    .argument(argument)
                    .key(permission.as_str())
                    .suggest(nearest(permission, known))
                    .hint("the permissions are `defineGlobal` and `network`")
            );
        }
    }
    Ok(given)
}

fn pkg(call: &Call<'_>) -> Result<Val> {
    if call.env.phase.get() != Phase::Pkg {
        refuse!(Note::new("pkg() defines a package, and can be called only in `PKG.libsonnet`"));
    }
    let inputs = || call.function("inputs", &["wake", "pkg"]);
    let nothing = Rc::new(PkgSaid::Nothing);
    let decl = match call.env.part.get() {
        PkgPart::Whole => {
            let (data, inputs) = whole(call)?;
            PkgDecl { said: Rc::new(PkgSaid::Whole(data)), inputs, modules: None }
        }
        PkgPart::Late => {
            PkgDecl { said: Rc::new(PkgSaid::Late(late(call)?)), inputs: None, modules: None }
        }
        PkgPart::Inputs => PkgDecl { said: nothing, inputs: inputs()?, modules: None },
        PkgPart::Functions => {
            PkgDecl { said: nothing, inputs: None, modules: call.object("modules")? }
        }
    };
    Ok(call.env.declarations.keep(shown(decl.said.clone()), Rc::new(decl)))
}

fn whole(call: &Call<'_>) -> Result<(PkgData, Option<FuncVal>)> {
    // Everything else may depend on them.
    let imports = imports(call)?;
    call.env.library_dirs.replace(imports.clone());
    let imports = imports.iter().map(RelPath::dotted).collect();
    let pkg_info = check_info(call, Versions::Exact)?;
    let files = files(call)?;
    let inputs = call.function("inputs", &["wake", "pkg"])?;
    let pkgs = pkgs(call)?;
    if pkgs.is_empty() {
        call.env.early.set(Early::Alone);
    }
    let late = match late(call) {
        Ok(late) => Some(late),
        Err(error) => match Note::of(&error) {
            Some(Note { nature: Nature::NeedsPkgs, .. }) if !pkgs.is_empty() => None,
            Some(Note { nature: Nature::NeedsOptions, .. }) => None,
            _ => return Err(error),
        },
    };
    let has_inputs = inputs.is_some();
    call.env.early.set(Early::Settings);
    let (options, profiles) = (options(call)?, profiles(call)?);
    call.env.early.set(Early::Finding);
    let data = PkgData { files, has_inputs, imports, late, options, pkg_info, pkgs, profiles };
    Ok((data, inputs))
}

/// Returns the option settings by name; null if there are none.
fn options(call: &Call<'_>) -> Result<Value> {
    let value = call.json("options")?;
    check_settings(call, "options", &[], &value)?;
    Ok(value)
}

/// Returns the option settings of profiles, by profile name.
fn profiles(call: &Call<'_>) -> Result<Value> {
    let value = call.json("profiles")?;
    let profiles = match &value {
        Value::Null => return Ok(value),
        Value::Object(profiles) => profiles,
        other => {
            let expected = "an object of objects";
            let message = format!("must be {expected}, not {}", json_kind(other));
            refuse!(call.fault("profiles", message));
        }
    };
    for (name, settings) in profiles {
        if !is_option_name(name) {
            let message = format!("has a profile `{name}`, which is not a valid name");
            refuse!(call.fault("profiles", message).key(name.as_str()).at_key());
        }
        check_settings(call, "profiles", &[name], settings)?;
    }
    Ok(value)
}

/// Checks that `settings`, found at `keys` in an argument, maps option names to values.
fn check_settings(call: &Call<'_>, argument: &str, keys: &[&str], settings: &Value) -> Result<()> {
    let keys = || keys.iter().map(|key| (*key).to_owned());
    let settings = match settings {
        Value::Null if keys().next().is_none() => return Ok(()),
        Value::Object(settings) => settings,
        other => {
            let message = format!("must be an object, not {}", json_kind(other));
            refuse!(call.fault(argument, message).keys(keys()));
        }
    };
    for name in settings.keys() {
        if !is_option_name(name) {
            let message = format!("sets `{name}`, which is not a valid option name");
            refuse!(call.fault(argument, message).keys(keys().chain([name.clone()])).at_key());
        }
    }
    Ok(())
}

fn late(call: &Call<'_>) -> Result<LateData> {
    let modules = modules(call)?;
    let metadata = call.json("metadata")?;
    Ok(LateData { metadata, modules })
}

/// Returns the directories of the import library.
fn imports(call: &Call<'_>) -> Result<Vec<RelPath>> {
    let Some(value) = call.get("imports")? else { return Ok(Vec::new()) };
    let texts = text_list(call, "imports", "a list of directories", &value)?;
    let dir = |text: &IStr| {
        let at = |note: Note| note.argument("imports").key(text.as_str());
        let path = RelPath::parse(text).map_err(|error| at(error.into()))?;
        match call.env.world.entry(&path).map_err(|error| amend(error, at))? {
            Some(EntryKind::Dir) => Ok(path),
            Some(EntryKind::Link) => Err(at(Note::new(format!("`{text}` is a link"))).into()),
            Some(_) => Err(at(Note::new(format!("`{text}` is not a directory"))).into()),
            None => {
                let message = format!("there is no directory `{text}` in the package");
                Err(at(Note::new(message)).into())
            }
        }
    };
    texts.iter().map(dir).collect()
}

fn files(call: &Call<'_>) -> Result<Vec<IStr>> {
    let Some(value) = call.get("files")? else { return Ok(Vec::new()) };
    if matches!(value, Val::Str(_)) {
        return Err(call.expected("files", "a list of paths", &value).into());
    }
    let texts = text_list(call, "files", "a list of paths", &value)?;
    let mut files = Vec::with_capacity(texts.len());
    for text in texts {
        let found = call.env.world.found.borrow().contains(&text);
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

/// Returns the path of an existing file of the package; `key` represents it in the source of the argument.
fn own_file(call: &Call<'_>, argument: &str, text: &str, key: &str) -> Result<RelPath> {
    let at = |note: Note| note.argument(argument).key(key);
    let path = RelPath::parse(text).map_err(|error| at(error.into()))?;
    if path.components().next() == Some(".wake") {
        refuse!(at(Note::new(format!("`{text}` is in `.wake`, which is reserved for wake"))));
    }
    if let Some(border) = call.env.world.border(&path)? {
        refuse!(
            at(Note::new(format!(
                "`{text}` belongs to another package: `{border}` contains a {PKG_FILE}"
            )))
            .hint("add that package to `pkgs`, and refer to its file as 'pkg.key./path'")
        );
    }
    match call.env.world.entry(&path).map_err(|error| amend(error, at))? {
        Some(EntryKind::File | EntryKind::Link) => Ok(path),
        Some(EntryKind::Dir) => Err(at(Note::new(format!("`{text}` is a directory")))
            .hint(format!("use wake.dir('{}') to list the files below it", path.dotted()))
            .into()),
        Some(EntryKind::Other) => {
            Err(at(Note::new(format!("`{text}` is not a file or link"))).into())
        }
        None if text.contains(['*', '?', '[', '{']) => {
            Err(at(Note::new(format!("there is no file `{text}` in the package")))
                .hint(format!("use wake.dir('{text}') to list the files that match a glob"))
                .into())
        }
        None => Err(missing(call, &path, text).argument(argument).key(key).into()),
    }
}

fn missing(call: &Call<'_>, path: &RelPath, text: &str) -> Note {
    let note = Note::new(format!("there is no file `{text}` in the package"));
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return note };
    let Ok(Some(entries)) = call.env.world.list(&parent) else { return note };
    note.suggest(nearest(name, entries.iter().map(|entry| entry.name.as_str())))
}

fn pkgs(call: &Call<'_>) -> Result<Vec<(IStr, Rc<GetPkgDecl>)>> {
    let mut pkgs = Vec::new();
    let Some(object) = call.object("pkgs")? else { return Ok(pkgs) };
    for key in object.fields() {
        let value = object.get(key.clone())?.unwrap_or(Val::Null);
        let Some(request) = call.env.declarations.of(&value) else {
            refuse!(
                call.fault(
                    "pkgs",
                    format!("must have wake.getPkg(...) as `{key}`, not {}", kind(&value))
                )
                .key(key.as_str())
            );
        };
        pkgs.push((key, request));
    }
    Ok(pkgs)
}

fn modules(call: &Call<'_>) -> Result<Vec<(IStr, ModuleAt)>> {
    let mut modules = Vec::new();
    let Some(object) = call.object("modules")? else { return Ok(modules) };
    for name in object.fields() {
        check_module_name(&name)
            .map_err(|note| note.argument("modules").key(name.as_str()).at_key())?;
        let value = object.get(name.clone())?.unwrap_or(Val::Null);
        let at = match &value {
            Val::Str(path) => {
                let path = own_file(call, "modules", &path.clone().into_flat(), &name)?;
                ModuleAt::File(path.dotted())
            }
            Val::Func(function) => {
                check_module_function(function)
                    .map_err(|note| note.argument("modules").key(name.as_str()))?;
                ModuleAt::Inline
            }
            other => {
                let expected = "a function or the path of a file";
                refuse!(
                    call.fault(
                        "modules",
                        format!("must have {expected} as `{name}`, not {}", kind(other))
                    )
                    .key(name.as_str())
                );
            }
        };
        modules.push((name, at));
    }
    Ok(modules)
}

/// Refuses a function that cannot be a module function.
pub(crate) fn check_module_function(function: &FuncVal) -> std::result::Result<(), Note> {
    let takes = ["wake", "pkg", "config"];
    check_takes(function, &takes[..2])
        .or_else(|note| check_takes(function, &takes).map_err(|_| note))
}

/// Refuses a name that cannot be a path component and part of an id.
pub(crate) fn check_module_name(name: &str) -> std::result::Result<(), Note> {
    let fits = |part: &str| {
        let mut chars = part.chars().enumerate();
        !part.is_empty()
            && chars.all(|(at, c)| c.is_ascii_alphanumeric() || (at > 0 && (c == '_' || c == '-')))
    };
    if name.len() <= Name::MAX && name.split('.').all(fits) {
        return Ok(());
    }
    Err(Note::new(format!("`{name}` is not a valid module name"))
        .hint("module names consist of at most 64 letters, digits, `_` and `-`, and start with a letter or digit; `server.unit` is part of `server`"))
}
