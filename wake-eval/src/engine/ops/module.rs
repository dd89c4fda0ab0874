//! Evaluation of a module function, and of the functions of the module it declares.

use std::rc::Rc;

use jrsonnet_evaluator::function::{FuncVal, ParamParse};
use jrsonnet_evaluator::{Error, ObjValue, Result, State, Thunk, Val};
use serde_json::{Map, Value};
use wake_model::RelPath;
use wake_model::nearest::nearest;

use super::{call2, call3, from_call, function_of, map_of, not_declared, pkg};
use crate::engine::api::{self, ExecDecl, ModuleDecl, ModuleExec, check_module_function};
use crate::engine::default::{OVERLAY, plain_default, yielding};
use crate::engine::env::{Env, Phase, PkgPart};
use crate::engine::json::write::{Json, Object, text_of};
use crate::engine::json::{from_json, json_kind, kind};
use crate::engine::note::{Nature, Note, Origin, amend, refuse};
use crate::engine::reference::{Reference, WrittenReference};
use crate::engine::resolve::{self, file_object};
use crate::engine::standard;
use crate::engine::to_json::{Promises, to_json};
use crate::engine::view;
use crate::engine::world::Instance;
use crate::prepare::CONFIG;

const FORM: &str = "function(wake, pkg, config) wake.module(...)";

/// Evaluates the module `name` of the package `own`, whose function is in `file` or, if that is `None`, in the
/// package file.
pub(crate) fn module(
    env: &Env,
    state: &State,
    file: Option<&RelPath>,
    name: &str,
    config: ConfigRequest,
    own: Rc<Instance>,
) -> Result<String> {
    let origin = FunctionOrigin { file, name };
    let function = match file {
        Some(file) => {
            env.phase.set(Phase::ModuleBody);
            env.own.replace(Some(own.clone()));
            function_of(env, state, file, &["wake", "pkg"], FORM).or_else(|error| {
                function_of(env, state, file, &["wake", "pkg", "config"], FORM).map_err(|_| error)
            })?
        }
        None => return inline(env, state, &functions(env, state)?, name, config, own),
    };
    apply(env, state, &function, &origin, config, own)
}

/// Evaluates the module `name` of the package `own`, whose function is in `functions`.
pub(crate) fn inline(
    env: &Env,
    state: &State,
    functions: &Option<ObjValue>,
    name: &str,
    config: ConfigRequest,
    own: Rc<Instance>,
) -> Result<String> {
    let origin = FunctionOrigin { file: None, name };
    let function = inline_function(functions, &origin)?;
    apply(env, state, &function, &origin, config, own)
}

/// Returns the module functions in `PKG.libsonnet`, by name; `None` if there are no modules.
pub(crate) fn functions(env: &Env, state: &State) -> Result<Option<ObjValue>> {
    Ok(pkg(env, state, PkgPart::Functions)?.modules.clone())
}

fn inline_function(functions: &Option<ObjValue>, origin: &FunctionOrigin<'_>) -> Result<FuncVal> {
    let value = match functions {
        Some(functions) => functions.get(origin.name.into())?,
        None => None,
    };
    let Some(Val::Func(function)) = value else {
        refuse!(origin.at(Note::new(format!("{} must be {FORM}", origin.subject()))));
    };
    check_module_function(&function).map_err(|note| origin.at(note))?;
    Ok(function)
}

/// The origin of a module function.
struct FunctionOrigin<'a> {
    file: Option<&'a RelPath>,
    name: &'a str,
}

impl FunctionOrigin<'_> {
    /// Returns its name in messages.
    fn subject(&self) -> String {
        match self.file {
            Some(file) => format!("`{file}`"),
            None => format!("module `{}`", self.name),
        }
    }

    /// Returns the verb for what it must do with the function.
    fn verb(&self) -> &'static str {
        if self.file.is_some() { "return" } else { "be" }
    }

    /// Points a note at it.
    fn at(&self, note: Note) -> Note {
        match self.file {
            Some(file) => note.origin(Origin::File(file.as_str().to_owned())),
            None => {
                note.argument("modules").key(self.name).origin(Origin::Call("wake.pkg".to_owned()))
            }
        }
    }
}

/// Applies a module function.
fn apply(
    env: &Env,
    state: &State,
    function: &FuncVal,
    origin: &FunctionOrigin<'_>,
    config: ConfigRequest,
    own: Rc<Instance>,
) -> Result<String> {
    env.phase.set(Phase::ModuleBody);
    env.own.replace(Some(own.clone()));
    check_names(function, origin)?;
    let pkg = view::pkg(env, &own);
    env.module.replace(Some(origin.name.into()));
    let asked = Asked { env, state, function, origin };
    let (config, is_default) = asked.config(config)?;
    let result = match function.params().len() {
        0..=2 => call2(function, api::wake(env), pkg.clone())?,
        _ => call3(function, api::wake(env), pkg.clone(), from_json(&config))?,
    };
    let Some(declared) = env.declarations.take::<ModuleDecl>(&result) else {
        let changed = env.declarations.has::<ModuleDecl>();
        refuse!(origin.at(not_declared(&origin.subject(), "wake.module", changed, &result)));
    };
    env.modules.replace(declared.modules.clone());
    Instantiation { env, pkg, declared, config, is_default }.json()
}

/// Refuses a function whose second parameter is clearly not meant to be the package.
fn check_names(function: &FuncVal, origin: &FunctionOrigin<'_>) -> Result<()> {
    let params = function.params();
    let name = |at: usize| params.get(at).and_then(|param| param.name().as_str());
    if name(1) == Some("config") {
        let (subject, verb) = (origin.subject(), origin.verb());
        let message = format!("{subject} must {verb} {FORM}: its second argument is the package");
        refuse!(origin.at(Note::new(message)));
    }
    Ok(())
}

/// The requested config.
pub(crate) enum ConfigRequest {
    /// The default that the function declares, else `{}`.
    Default,
    /// This config.
    Given(Value),
    /// The default, with these keys replaced.
    Changed(Map<String, Value>),
}

impl ConfigRequest {
    /// Reads the config of a request.
    pub(crate) fn of(config: Option<&str>, merge: bool) -> Result<ConfigRequest> {
        let config = config.map(serde_json::from_str).transpose();
        let config =
            config.map_err(|error| Note::new(format!("the config is malformed: {error}")))?;
        Ok(match (config, merge) {
            (None, _) => ConfigRequest::Default,
            (Some(Value::Object(keys)), true) => ConfigRequest::Changed(keys),
            (Some(config), _) => ConfigRequest::Given(config),
        })
    }
}

/// A requested module, with its function.
struct Asked<'a> {
    env: &'a Env,
    state: &'a State,
    function: &'a FuncVal,
    origin: &'a FunctionOrigin<'a>,
}

impl Asked<'_> {
    /// Returns the config for the function, and whether it is known to equal the default.
    fn config(&self, asked: ConfigRequest) -> Result<(Value, bool)> {
        let takes_one = self.function.params().len() > 2;
        match asked {
            ConfigRequest::Default => {
                let has_default = |param: &ParamParse| param.has_default();
                let lacks_one =
                    takes_one && !self.function.params().get(2).is_some_and(has_default);
                self.env.lacks_config.set(lacks_one);
                Ok((self.default()?, true))
            }
            ConfigRequest::Given(config) if takes_one => {
                let is_default = self.plain_default().is_some_and(|default| default == config);
                Ok((config, is_default))
            }
            ConfigRequest::Given(config) if config == empty() => Ok((config, true)),
            ConfigRequest::Changed(keys) if takes_one => self.changed(keys),
            ConfigRequest::Given(_) | ConfigRequest::Changed(_) => {
                let note = Note::new(format!("module `{}` takes no config", self.origin.name));
                Err(self.at(note).hint("declare it as function(wake, pkg, config) ...").into())
            }
        }
    }

    /// Returns the default with other values for some of its keys.
    fn changed(&self, keys: Map<String, Value>) -> Result<(Value, bool)> {
        let default = self.default()?;
        let Value::Object(mut config) = default else {
            let note = Note::new(format!(
                "the default config of module `{}` is {}, which has no keys to set",
                self.origin.name,
                json_kind(&default)
            ));
            return Err(self.at(note).into());
        };
        // An empty default does not restrict the keys.
        let has_keys = !config.is_empty();
        for (key, value) in keys {
            if has_keys && !config.contains_key(&key) {
                let name = self.origin.name;
                let note = Note::new(format!("module `{name}` has no config key `{key}`"));
                let known: Vec<&str> = config.keys().map(String::as_str).collect();
                let near = nearest(&key, known.iter().copied());
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its default has the keys {}", known.join(", ")),
                };
                return Err(self.at(note).hint(help).into());
            }
            config.insert(key, value);
        }
        Ok((Value::Object(config), false))
    }

    fn default(&self) -> Result<Value> {
        if let Some(default) = self.plain_default() {
            return Ok(default);
        }
        let params = self.function.params();
        let param = params.get(2).and_then(|param| param.name().as_str());
        let asked = match param {
            Some(CONFIG) => {
                let pkg = view::pkg(self.env, &self.env.own()?);
                standard::default_config(|| call2(self.function, api::wake(self.env), pkg))?
            }
            _ => None,
        };
        let computed = match (asked, self.origin.file) {
            (Some(config), _) => Some(default_json(self.env, &config)?),
            (None, Some(file)) => {
                computed_default(self.env, self.state, file, param.unwrap_or_default())?
            }
            (None, None) => None,
        };
        match computed {
            Some(config) => Ok(config),
            None => {
                let name = self.origin.name;
                let note =
                    Note::new(format!("cannot determine the default config of module `{name}`"));
                let hint = "name the parameter `config`, or write its default as a literal, such as config={debug: false}";
                Err(self.at(note).hint(hint).into())
            }
        }
    }

    /// Returns the default if it can be read from the function without evaluation.
    fn plain_default(&self) -> Option<Value> {
        match self.function.params().get(2) {
            Some(param) if param.has_default() => plain_default(self.function, 2),
            _ => Some(empty()),
        }
    }

    fn at(&self, note: Note) -> Note {
        self.origin.at(note)
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn computed_default(
    env: &Env,
    state: &State,
    file: &RelPath,
    param: &str,
) -> Result<Option<Value>> {
    let text = env.texts.borrow().get(file.as_str()).cloned();
    let Some(text) = text.and_then(|text| yielding(&text, param)) else { return Ok(None) };
    let name = format!("{file}{OVERLAY}");
    env.overlays.borrow_mut().insert(name.clone(), text);
    let Val::Func(function) = state.import(name.as_str())? else { return Ok(None) };
    let default = call2(&function, api::wake(env), view::pkg(env, &env.own()?))?;
    default_json(env, &default).map(Some)
}

fn default_json(env: &Env, default: &Val) -> Result<Value> {
    to_json(env, format_args!("the default of `config`"), Promises::Refuse, default)
}

/// A module whose body has been evaluated.
struct Instantiation<'a> {
    env: &'a Env,
    pkg: Val,
    declared: ModuleDecl,
    config: Value,
    /// Whether the config equals the function's default.
    is_default: bool,
}

impl Instantiation<'_> {
    /// Returns the result for the requester: the complete module, or what it waits for.
    fn json(mut self) -> Result<String> {
        let exec = std::mem::replace(&mut self.declared.exec, ModuleExec::None);
        let mut pending = Vec::new();
        let inputs = settle(self.inputs(), &mut pending)?;
        let outputs = settle(self.outputs(inputs.as_ref()), &mut pending)?;
        let files = settle(self.files(inputs.as_ref()), &mut pending)?;
        let exec = settle(self.exec(exec, inputs.as_ref(), files.as_deref()), &mut pending)?;
        pending.sort_by_cached_key(wake_model::json::canonical);
        pending.dedup();
        let declared = &self.declared;
        let mut fields: Vec<(&'static str, &dyn Json)> = vec![
            ("config", &self.config),
            ("metadata", &declared.metadata),
            ("modules", &declared.modules),
            ("name", &declared.name),
            ("outputs", outputs.as_ref().unwrap_or(&Value::Null)),
            ("pkg", &declared.pkg),
            ("pkgFiles", &declared.pkg_files),
        ];
        if self.is_default {
            fields.push(("default", &true));
        }
        if let Some(label) = &declared.label {
            fields.push(("label", label));
        }
        if !declared.tags.is_empty() {
            fields.push(("tags", &declared.tags));
        }
        if let Some(test) = &declared.test {
            fields.push(("test", test));
        }
        match (&inputs, &files, &exec, &outputs) {
            (Some(inputs), Some(files), Some(exec), Some(_)) if pending.is_empty() => {
                fields.extend([("exec", exec as &dyn Json), ("files", files), ("inputs", inputs)]);
            }
            _ => fields.push(("pending", &pending)),
        }
        Ok(text_of(&Object(&fields)))
    }

    fn outputs(&self, inputs: Option<&Value>) -> Result<Value> {
        let Some(function) = &self.declared.outputs else { return Ok(Value::Object(Map::new())) };
        self.env.phase.set(Phase::ModuleOutputs);
        let params = function.params();
        let second = params.get(1).and_then(|param| param.name().as_str());
        let argument = match second {
            Some("module") => self.argument(known(inputs)),
            _ => self.pkg.clone(),
        };
        let result = call2(function, api::wake(self.env), argument)?;
        let at = |error: Error| from_call(error, "wake.module", "outputs");
        let mut outputs = map_of(self.env, "`outputs`", Promises::Refuse, &result).map_err(at)?;
        for (key, value) in outputs.as_object_mut().into_iter().flatten() {
            declare_paths(value).map_err(|note| at(note.key(key.as_str()).into()))?;
        }
        Ok(outputs)
    }

    fn inputs(&self) -> Result<Value> {
        let Some(function) = &self.declared.inputs else { return Ok(Value::Object(Map::new())) };
        self.env.phase.set(Phase::ModuleInputs);
        let unknown = Note::new("the module's `inputs` cannot refer to themselves");
        let result =
            call2(function, api::wake(self.env), self.argument(Thunk::errored(unknown.into())))?;
        let inputs = map_of(self.env, "`inputs`", Promises::Fill, &result)
            .map_err(|error| from_call(error, "wake.module", "inputs"))?;
        self.env.module_inputs.replace(Some(inputs.clone()));
        Ok(inputs)
    }

    fn files(&self, inputs: Option<&Value>) -> Result<Vec<Value>> {
        let Some(function) = &self.declared.files else { return Ok(Vec::new()) };
        self.env.phase.set(Phase::ModuleFiles);
        let result = call2(function, api::wake(self.env), self.argument(known(inputs)))?;
        let mut files = Vec::new();
        self.collect(&result, &mut files)
            .map_err(|error| from_call(error, "wake.module", "files"))?;
        let paths = files
            .iter()
            .filter_map(|file| file.get("path").and_then(Value::as_str))
            .map(str::to_owned);
        self.env.created.replace(paths.collect());
        Ok(files)
    }

    /// Adds the files that `value` names: a file, a reference, or a list of these.
    fn collect(&self, value: &Val, files: &mut Vec<Value>) -> Result<()> {
        if let Some(written) = WrittenReference::of(value)? {
            let reference = resolve::parse(written)?;
            let named = resolve::fill(self.env, &reference)?;
            let Reference { written, .. } = reference;
            return push_files(&named, &format!("`{written}`"), files)
                .map_err(|error| amend(error, |note| note.origin(Origin::Reference(written))));
        }
        match value {
            Val::Arr(items) => items.iter().try_for_each(|item| self.collect(&item?, files)),
            other => {
                let json = to_json(self.env, format_args!("`files`"), Promises::Fill, other)?;
                push_files(&json, "an element", files)
            }
        }
    }

    fn exec(
        &self,
        exec: ModuleExec,
        inputs: Option<&Value>,
        files: Option<&[Value]>,
    ) -> Result<Value> {
        if inputs.is_none() || files.is_none() {
            // The command may refer to what is not available yet: the body is evaluated again later.
            return Ok(Value::Null);
        }
        self.env.phase.set(Phase::ModuleExec);
        let exec = match exec {
            ModuleExec::None => return Ok(Value::Null),
            ModuleExec::Declared(exec) => exec,
            ModuleExec::Computed(function) => {
                let result = call2(&function, api::wake(self.env), self.argument(known(inputs)))?;
                let Some(exec) = self.env.declarations.of::<ExecDecl>(&result) else {
                    let note = Note::new(format!(
                        "the function `exec` must return wake.exec(...), not {}",
                        kind(&result)
                    ));
                    return Err(from_call(note.into(), "wake.module", "exec"));
                };
                exec
            }
        };
        // The declarations are not needed any more.
        self.env.declarations.clear();
        let json = Rc::unwrap_or_clone(exec).filled(self.env);
        json.map_err(|error| from_call(error, "wake.exec", "ref"))
    }

    fn argument(&self, inputs: Thunk<Val>) -> Val {
        view::module(self.env, &self.declared.name, &self.config, self.pkg.clone(), inputs)
    }
}

fn known(inputs: Option<&Value>) -> Thunk<Val> {
    match inputs {
        Some(inputs) => Thunk::evaluated(from_json(inputs)),
        None => Thunk::errored(
            Note::new("the module's inputs are not known yet")
                .nature(Nature::Pending(Value::Null))
                .into(),
        ),
    }
}

/// Separates waiting for a dependency from errors.
fn settle<T>(result: Result<T>, pending: &mut Vec<Value>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match Note::of(&error) {
            Some(Note { nature: Nature::Pending(id), .. }) => {
                if !id.is_null() {
                    pending.push(id);
                }
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

fn push_files(value: &Value, name: &str, files: &mut Vec<Value>) -> Result<()> {
    match value {
        Value::Object(fields) if fields.get("type").and_then(Value::as_str) == Some("file") => {
            files.push(value.clone());
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| push_files(item, name, files)),
        other => Err(Note::new(format!(
            "`files` must contain files, but {name} is {}",
            json_kind(other)
        ))
        .hint("use wake.file(path, from=value, dump=true) to write a value to a file")
        .into()),
    }
}

/// Converts the paths at the top level of an output to file objects: `./path`, or a list of such paths.
fn declare_paths(value: &mut Value) -> std::result::Result<(), Note> {
    match value {
        Value::String(text) if text.starts_with("./") => {
            *value = file_object(&output_path(text)?);
            Ok(())
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(is_path) => {
            items.iter_mut().try_for_each(declare_paths)
        }
        _ => Ok(()),
    }
}

fn is_path(value: &Value) -> bool {
    let file = value.get("type").and_then(Value::as_str) == Some("file");
    file || value.as_str().is_some_and(|text| text.starts_with("./"))
}

fn output_path(text: &str) -> std::result::Result<String, Note> {
    let path: RelPath = text.parse()?;
    if path.components().next() == Some(".wake") {
        return Err(Note::new(format!("`{text}` is in `.wake`, which is reserved for wake")));
    }
    let slash = if text.ends_with('/') && !path.is_root() { "/" } else { "" };
    Ok(format!("{}{slash}", path.dotted()))
}
