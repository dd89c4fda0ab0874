//! `module`, and the functions in `pkg.modules` that return module ids.

use std::collections::BTreeMap;
use std::rc::Rc;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{IStr, ObjValueBuilder, Result, Val};
use serde_json::{Value, json};
use wake_model::RelPath;
use wake_model::nearest::nearest;

use super::call::{Call, Param, Spec, is_tagged, native, text_list};
use super::exec::ExecDecl;
use super::pkg::check_module_name;
use super::test::{self, Test};
use crate::engine::env::{Env, Phase};
use crate::engine::globs::{Patterns, is_among, is_special, may_choose_nothing};
use crate::engine::json::{kind, shown};
use crate::engine::module_id::ModuleId;
use crate::engine::note::{Note, amend, refuse};
use crate::engine::to_json::Promises;
use crate::engine::world::Text;

/// The checked arguments of `wake.module`.
pub(crate) struct ModuleDecl {
    pub(crate) name: IStr,
    pub(crate) label: Option<IStr>,
    pub(crate) pkg: Value,
    pub(crate) pkg_files: Value,
    pub(crate) modules: Rc<BTreeMap<String, Rc<ModuleId>>>,
    pub(crate) files: Option<FuncVal>,
    pub(crate) inputs: Option<FuncVal>,
    pub(crate) outputs: Option<FuncVal>,
    pub(crate) exec: ModuleExec,
    pub(crate) metadata: Value,
    /// Words that select modules, sorted.
    pub(crate) tags: Vec<IStr>,
    /// How it is tested, if it is a test.
    pub(crate) test: Option<Value>,
}

/// How a module's command is declared.
pub(crate) enum ModuleExec {
    /// No command: the module collects files.
    None,
    /// In the body, possibly with promises.
    Declared(Rc<ExecDecl>),
    /// By this function, when the module is instantiated.
    Computed(FuncVal),
}

pub(crate) static MODULE: Spec = Spec {
    name: "wake.module",
    params: &[
        Param::required("name"),
        Param::optional("pkg"),
        Param::optional("modules"),
        Param::optional("files"),
        Param::optional("inputs"),
        Param::optional("outputs"),
        Param::optional("exec"),
        Param::optional("pkgFiles"),
        Param::optional("metadata"),
        Param::optional("label"),
        Param::optional("test"),
        Param::optional("tags"),
    ],
    member: true,
    run: module,
};

/// Created for one module of one package, as `key module`.
pub(crate) static MODULE_ID: Spec = Spec {
    name: "pkg.modules",
    params: &[Param::optional("config")],
    member: false,
    run: module_id,
};

/// Creates the function that returns the id of the module `name` of the package `key` for a config.
pub(crate) fn module_function(env: &Env, key: &str, name: &str) -> FuncVal {
    native(env, &MODULE_ID, [key, " ", name].concat())
}

fn module_id(call: &Call<'_>) -> Result<Val> {
    let (pkg, module) = call.made_for.split_once(' ').unwrap_or_default();
    let id = Rc::new(if call.given("config") {
        let config = call.json("config")?;
        ModuleId::new(json!({"type": "module", "pkg": pkg, "module": module, "config": config}))
    } else {
        ModuleId::plain(pkg, module)
    });
    Ok(call.env.declarations.keep(shown(id.clone()), id))
}

fn module(call: &Call<'_>) -> Result<Val> {
    if call.env.phase.get() != Phase::ModuleBody {
        refuse!(
            Note::new("module() can be called only in the body of a module function")
                .hint("list the function's file in `modules` of wake.pkg()")
        );
    }
    let name = call.required_text("name")?;
    check_module_name(&name).map_err(|note| note.argument("name"))?;
    if let Some(key) = call.env.module.borrow().as_ref().filter(|key| **key != name) {
        refuse!(
            call.fault("name", format!("is `{name}`, but the package calls this module `{key}`"))
        );
    }
    let takes = ["wake", "module"];
    let Test { test, tags } = test::test(call)?;
    let decl = ModuleDecl {
        name,
        label: label(call)?,
        pkg: other_pkg(call)?,
        modules: Rc::new(dependencies(call)?),
        files: call.function("files", &takes)?,
        inputs: call.function("inputs", &takes)?,
        outputs: call.function("outputs", &["wake", "pkg"])?,
        exec: exec(call)?,
        pkg_files: pkg_files(call)?,
        metadata: call.json("metadata")?,
        tags,
        test,
    };
    if decl.test.is_some() && matches!(decl.exec, ModuleExec::None) {
        refuse!(call.fault("test", "requires `exec`: the test is the command of the module"));
    }
    let mut builder = ObjValueBuilder::with_capacity(2);
    builder.field("type").value("moduleDeclaration");
    builder.field("name").value(decl.name.clone());
    Ok(call.env.declarations.keep(builder.build(), Rc::new(decl)))
}

/// The maximum length of a label, in characters.
const LONGEST_LABEL: usize = 100;

fn label(call: &Call<'_>) -> Result<Option<IStr>> {
    let Some(text) = call.text("label")? else { return Ok(None) };
    let is_line = !text.is_empty() && !text.contains(char::is_control);
    if !is_line || text.trim().len() != text.len() || text.chars().count() > LONGEST_LABEL {
        let rule = format!("must be one line of at most {LONGEST_LABEL} characters");
        refuse!(call.fault("label", rule));
    }
    Ok(Some(text))
}

fn other_pkg(call: &Call<'_>) -> Result<Value> {
    let Some(value) = call.get("pkg")? else { return Ok(Value::Null) };
    if let Val::Obj(object) = &value {
        if let Some(Val::Str(key)) = object.get("key".into())? {
            let key = key.into_flat();
            let own = call.env.own()?;
            if *key == *own.key {
                return Ok(Value::Null);
            }
            return call.env.instance(&key)?.reference();
        }
        if is_tagged(object, "pkg")? {
            return call.json_of("pkg", Promises::Refuse, &value);
        }
        refuse!(call.fault("pkg", "must be a package, such as `pkg.pkgs.zlib` or 'pkg.zlib'"));
    }
    let named = call.reference("pkg", &value)?;
    let json = call.json_of("pkg", Promises::Refuse, &named)?;
    if json.get("type").and_then(Value::as_str) != Some("pkg") {
        refuse!(call.fault("pkg", "must name a package, such as `pkg.pkgs.zlib` or 'pkg.zlib'"));
    }
    Ok(json)
}

fn dependencies(call: &Call<'_>) -> Result<BTreeMap<String, Rc<ModuleId>>> {
    let mut modules = BTreeMap::new();
    let Some(object) = call.object("modules")? else { return Ok(modules) };
    for key in object.fields() {
        let value = object.get(key.clone())?.unwrap_or(Val::Null);
        let fault = |found: &str| {
            call.fault("modules", format!("must contain module ids, not {found} as `{key}`"))
                .key(key.as_str())
                .hint("call a module function: pkg.modules.core({}), pkg.pkgs.zlib.modules.lib({})")
        };
        if let Some(id) = call.env.declarations.of(&value) {
            modules.insert(key.as_str().to_owned(), id);
            continue;
        }
        match &value {
            Val::Obj(id) if is_tagged(id, "module")? => {
                let id = call.json_of("modules", Promises::Refuse, &value)?;
                modules.insert(key.as_str().to_owned(), Rc::new(ModuleId::new(id)));
            }
            Val::Func(_) => refuse!(fault("a function").label("call it with the module's config")),
            other => refuse!(fault(kind(other))),
        }
    }
    Ok(modules)
}

fn exec(call: &Call<'_>) -> Result<ModuleExec> {
    match call.get("exec")? {
        None => Ok(ModuleExec::None),
        Some(Val::Func(_)) => Ok(call
            .function("exec", &["wake", "module"])?
            .map_or(ModuleExec::None, ModuleExec::Computed)),
        Some(Val::Obj(object)) => match call.env.declarations.get(&object) {
            Some(decl) => Ok(ModuleExec::Declared(decl)),
            None => Err(exec_type(call, &Val::Obj(object)).into()),
        },
        Some(other) => Err(exec_type(call, &other).into()),
    }
}

fn exec_type(call: &Call<'_>, found: &Val) -> Note {
    call.expected("exec", "wake.exec(...) or function(wake, module) wake.exec(...)", found)
}

/// Returns the error for a pattern in `pkgFiles` that matches none of `files`.
fn chooses_nothing(env: &Env, files: &[Text], text: &str) -> Note {
    let note = Note::new(format!("`{text}` matches none of the package's `files`"));
    let Ok(path) = RelPath::parse(text) else { return note };
    let dotted = path.dotted();
    if matches!(env.world.entry(&path), Ok(Some(_))) {
        return note.hint(format!("the file exists: add `{dotted}` to `files` of the package"));
    }
    if is_special(text) {
        // A similar file name is not what a glob was meant to match.
        return note;
    }
    let near = nearest(&dotted, files.iter().map(|file| &**file));
    // In the form in which the pattern was written.
    let near =
        near.map(|near| if text.starts_with("./") { near } else { near.trim_start_matches("./") });
    note.suggest(near)
}

fn pkg_files(call: &Call<'_>) -> Result<Value> {
    let Some(value) = call.get("pkgFiles")? else { return Ok(Value::Null) };
    let texts = text_list(call, "pkgFiles", "a list of paths and globs", &value)?;
    let own = call.env.own()?;
    let mut chosen: Vec<IStr> = Vec::new();
    for text in &texts {
        let at = |note: Note| note.argument("pkgFiles").key(text.as_str());
        let choice = own.choice(text, |files| {
            let is_there = |path: &_| Ok(is_among(files, path));
            let patterns = Patterns::parse(std::slice::from_ref(text), &is_there)
                .map_err(|error| amend(error, |note| note.argument("pkgFiles")))?;
            Ok(patterns.among(files))
        })?;
        if choice.is_empty() && !may_choose_nothing(text) {
            refuse!(at(chooses_nothing(call.env, own.files()?, text)));
        }
        chosen.extend(choice.iter().cloned());
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen.iter().map(|file| Value::from(file.as_str())).collect())
}
