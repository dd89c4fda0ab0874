//! `exec`: the declaration of a command.

use std::rc::Rc;

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{Error, ObjValue, ObjValueBuilder, Result, Val};
use serde_json::{Map, Value, json};
use wake_model::RelPath;
use wake_model::declared::{LONGEST_TIMEOUT, is_timeout, memory_size};
use wake_model::place::is_foreign;

use super::call::{Call, Param, ReferenceValue, Spec, is_tagged};
use super::image_name::named_image;
use crate::engine::env::Env;
use crate::engine::json::{json_kind, json_number, kind};
use crate::engine::note::{Note, amend, refuse};
use crate::engine::reference::Reference;
use crate::engine::resolve;
use crate::engine::to_json::{Promises, Template, promise_json};

/// The arguments of `wake.exec`; values may still contain promises.
#[derive(Clone)]
pub(crate) struct ExecDecl {
    program: Template,
    config: Template,
    args: Template,
    env: Template,
    rootfs: Template,
    network: bool,
    timeout: Value,
    resources: Value,
    depfile: Option<String>,
}

pub(crate) static EXEC: Spec = Spec {
    name: "wake.exec",
    params: &[
        Param::required("ref"),
        Param::optional("config"),
        Param::optional("args"),
        Param::optional("env"),
        Param::optional("rootfs"),
        Param::optional("network"),
        Param::optional("timeout"),
        Param::optional("resources"),
        Param::optional("depfile"),
    ],
    member: true,
    run: exec,
};

/// The maximum length of an environment variable's value, in bytes.
const ENV_LIMIT: usize = 4096;

fn exec(call: &Call<'_>) -> Result<Val> {
    let Some(program) = call.get("ref")? else {
        refuse!(call.expected("ref", "a reference to a file", &Val::Null));
    };
    let is_promise = |object| call.env.promises.borrow().contains_key(object);
    let program = match &program {
        Val::Obj(object)
            if !is_promise(object)
                && (is_tagged(object, "program")? || is_tagged(object, "entrypoint")?) =>
        {
            ReferenceValue::Val(program)
        }
        _ => call.target("ref", &program).map_err(|error| host_program(error, &program))?,
    };
    let config = call.get("config")?.unwrap_or(Val::Null);
    let args = call.get("args")?.unwrap_or(Val::Null);
    let env = call.get("env")?.unwrap_or(Val::Null);
    let rootfs = rootfs(call)?;
    let network = call.flag("network")?;
    let timeout = timeout(call)?;
    let resources = resources(call)?;
    let depfile = depfile(call)?;
    let template = |argument: &str, value: &Val| {
        Template::of(call.env, format_args!("`{argument}` of exec()"), value)
            .map_err(|error| amend(error, |note| note.argument(argument)))
    };
    let program = match program {
        ReferenceValue::Json(json) => Template::from(json),
        ReferenceValue::Val(value) => template("ref", &value)?,
    };
    check_program(&program.json)?;
    let args = template("args", &args)?;
    let env = template("env", &env)?;
    let rootfs = template("rootfs", &rootfs)?;
    check_rootfs(&rootfs.json)?;
    check_entrypoint(&program.json, &rootfs.json)?;
    let config = template("config", &config)?;
    check_args(&args.json)?;
    checked_env(env.json.clone())?;
    let decl =
        ExecDecl { program, config, args, env, rootfs, network, timeout, resources, depfile };
    let mut builder = ObjValueBuilder::with_capacity(1);
    builder.field("type").value("exec");
    Ok(call.env.declarations.keep(builder.build(), Rc::new(decl)))
}

/// Adds a hint on how to run a program of the host.
fn host_program(error: Error, given: &Val) -> Error {
    let Val::Str(name) = given else { return error };
    let name = name.clone().into_flat();
    if name.is_empty() || name.contains(['.', ' ']) {
        return error;
    }
    amend(error, |note| {
        note.hint(format!(
            "use `wake.program('{name}')` for a program of the root file system, or './run.sh' for a script in `files`"
        ))
    })
}

fn rootfs(call: &Call<'_>) -> Result<Val> {
    match call.get("rootfs")? {
        None => Ok(Val::string("host")),
        Some(Val::Str(text)) => {
            let text = text.into_flat();
            // A ware id is `type:hash`; no reference has a colon before its first dot or slash.
            let head = text.split(['.', '/']).next().unwrap_or_default();
            if head.contains(':') {
                let none = Val::Arr(ArrValue::empty());
                return Ok(ware(&Val::string(text), &none));
            }
            call.reference("rootfs", &Val::string(text))
        }
        Some(Val::Obj(object)) if call.env.promises.borrow().contains_key(&object) => {
            Ok(Val::Obj(object))
        }
        Some(Val::Obj(object)) => match object.get("type".into())? {
            Some(Val::Str(tag)) => match tag.into_flat().as_str() {
                tag @ ("host" | "empty") => Ok(Val::string(tag)),
                "file" | "pkg" | "module" | "hostPackages" | "image" => Ok(Val::Obj(object)),
                _ => Err(rootfs_type(call, &Val::Obj(object)).into()),
            },
            _ if object.has_field("image".into()) => rootfs_image(call, &object),
            _ => rootfs_ware(call, &object),
        },
        Some(other) => Err(rootfs_type(call, &other).into()),
    }
}

fn rootfs_type(call: &Call<'_>, found: &Val) -> Note {
    let expected = "wake.HOST, wake.EMPTY, a reference to a file or directory, a ware or an image";
    call.expected("rootfs", expected, found)
}

/// `{image: 'HOST/REPOSITORY:TAG', platform: 'linux/arm64'}`, or a reference as `image`. The strings are checked when
/// the image is needed.
fn rootfs_image(call: &Call<'_>, object: &ObjValue) -> Result<Val> {
    call.check_keys("rootfs", object, &["image", "platform", "env", "writable"])?;
    let image = object.get("image".into())?.unwrap_or(Val::Null);
    let image = named_image(call, "rootfs", &image)
        .map_err(|error| amend(error, |note| note.key("image")))?;
    let platform = match object.get("platform".into())? {
        None | Some(Val::Null) => Val::Null,
        Some(text @ Val::Str(_)) => text,
        Some(other) => {
            let found = kind(&other);
            let message =
                format!("must have a string such as 'linux/arm64' as `platform`, not {found}");
            refuse!(call.fault("rootfs", message).key("platform"));
        }
    };
    let flag = |name: &'static str| -> Result<bool> {
        match object.get(name.into())? {
            None | Some(Val::Null) => Ok(false),
            Some(Val::Bool(flag)) => Ok(flag),
            Some(other) => {
                let found = kind(&other);
                let message = format!("must have true or false as `{name}`, not {found}");
                refuse!(call.fault("rootfs", message).key(name))
            }
        }
    };
    let env = flag("env")?;
    let writable = flag("writable")?;
    let mut builder = ObjValueBuilder::with_capacity(5);
    builder.field("type").value("image");
    builder.field("image").value(image);
    builder.field("platform").value(platform);
    if env {
        builder.field("env").value(Val::Bool(true));
    }
    if writable {
        builder.field("writable").value(Val::Bool(true));
    }
    Ok(Val::Obj(builder.build()))
}

/// `{ware: 'tar:…', warehouses: ['ca+file://…']}`; the strings are checked when the ware is fetched.
fn rootfs_ware(call: &Call<'_>, object: &ObjValue) -> Result<Val> {
    call.check_keys("rootfs", object, &["ware", "warehouses"])?;
    let Some(id @ Val::Str(_)) = object.get("ware".into())? else {
        refuse!(
            call.fault("rootfs", "must have the id of a ware as `ware`, such as 'tar:6q7G…'")
                .key("ware")
        );
    };
    let list = match object.get("warehouses".into())? {
        None | Some(Val::Null) => Val::Arr(ArrValue::empty()),
        Some(list @ Val::Arr(_)) => list,
        Some(other) => {
            let found = kind(&other);
            let message = format!("must have a list of addresses as `warehouses`, not {found}");
            refuse!(call.fault("rootfs", message).key("warehouses"));
        }
    };
    if let Val::Arr(items) = &list {
        for (index, item) in items.iter().enumerate() {
            let item = item?;
            if !matches!(item, Val::Str(_)) {
                let found = kind(&item);
                let message = format!("must have addresses as `warehouses`, not {found}");
                refuse!(
                    call.fault("rootfs", message).keys(["warehouses".into(), index.to_string()])
                );
            }
        }
    }
    Ok(ware(&id, &list))
}

/// Creates the declaration of a ware.
fn ware(id: &Val, warehouses: &Val) -> Val {
    let mut builder = ObjValueBuilder::with_capacity(3);
    builder.field("type").value("ware");
    builder.field("ware").value(id.clone());
    builder.field("warehouses").value(warehouses.clone());
    Val::Obj(builder.build())
}

fn timeout(call: &Call<'_>) -> Result<Value> {
    match call.get("timeout")? {
        None => Ok(Value::Null),
        Some(Val::Num(seconds)) if is_timeout(seconds.get()) => {
            Ok(json_number(seconds.get()).unwrap_or(Value::Null))
        }
        Some(Val::Num(seconds)) if seconds.get() > 0.0 => {
            let most = format!("must be at most {LONGEST_TIMEOUT} seconds (one year)");
            Err(call.fault("timeout", most).into())
        }
        Some(Val::Num(_)) => Err(call.fault("timeout", "must be more than 0 seconds").into()),
        Some(other) => Err(call.expected("timeout", "a number of seconds", &other).into()),
    }
}

fn resources(call: &Call<'_>) -> Result<Value> {
    let Some(object) = call.object("resources")? else { return Ok(Value::Null) };
    call.check_keys("resources", &object, &["cpus", "memory", "scratch"])?;
    let json = call.json_of("resources", Promises::Refuse, &Val::Obj(object))?;
    for (key, value) in json.as_object().into_iter().flatten() {
        if let Some(expected) = unfit_resource(key, value) {
            refuse!(call.fault("resources", format!("must have {expected} as `{key}`")).key(key));
        }
    }
    Ok(json)
}

/// Returns the path of the depfile.
fn depfile(call: &Call<'_>) -> Result<Option<String>> {
    let Some(text) = call.text("depfile")? else { return Ok(None) };
    let path = RelPath::parse(&text).map_err(|error| Note::from(error).argument("depfile"))?;
    if !text.starts_with("./") || text.ends_with('/') || path.is_root() {
        refuse!(call.fault("depfile", "must be the path of a file, such as './unit.d'"));
    }
    if is_foreign(&path) {
        refuse!(call.fault("depfile", "is in `.wake`, which is reserved for wake"));
    }
    Ok(Some(path.dotted()))
}

/// Returns the expected value of a resource; `None` if `value` is valid.
fn unfit_resource(key: &str, value: &Value) -> Option<&'static str> {
    let whole = value.as_f64().is_some_and(|number| number >= 1.0 && number.fract() == 0.0);
    let (fits, expected) = match key {
        "memory" => {
            let sized = value.as_str().and_then(memory_size).is_some_and(|size| size > 0);
            (whole || sized, "bytes or a string such as '512MiB'")
        }
        "scratch" => (matches!(value.as_str(), Some("memory" | "disk")), "'memory' or 'disk'"),
        _ => (whole, "a whole number from 1"),
    };
    (!fits).then_some(expected)
}

impl ExecDecl {
    /// Creates an exec that wake performs itself, as described by `config`.
    pub(super) fn of_wake(program: Template, config: Template) -> ExecDecl {
        ExecDecl {
            program,
            config,
            args: Template::from(Value::Null),
            env: Template::from(Value::Null),
            rootfs: Template::from(Value::String("empty".to_owned())),
            network: false,
            timeout: Value::Null,
            resources: Value::Null,
            depfile: None,
        }
    }

    /// Returns the declaration as JSON, with all promises filled.
    pub(crate) fn filled(self, env: &Env) -> Result<Value> {
        self.json(|reference| resolve::fill(env, reference)).map(Value::Object)
    }

    /// Returns the declaration of a retriever, with references as they were written.
    pub(crate) fn kept(&self) -> Result<Value> {
        let mut fields = self.clone().json(|reference| Ok(promise_json(reference)))?;
        fields.insert("type".to_owned(), Value::String("exec".to_owned()));
        Ok(Value::Object(fields))
    }

    fn json(self, fill: impl Fn(&Reference) -> Result<Value>) -> Result<Map<String, Value>> {
        let part = |argument: &str, template: Template| {
            template.filled(&fill).map_err(|error| amend(error, |note| note.argument(argument)))
        };
        let program = part("ref", self.program)?;
        check_program(&program)?;
        let args = part("args", self.args)?;
        let variables = part("env", self.env)?;
        let rootfs = part("rootfs", self.rootfs)?;
        check_rootfs(&rootfs)?;
        let config = part("config", self.config)?;
        check_args(&args)?;
        let args = if args.is_null() { Value::Array(Vec::new()) } else { args };
        let fields = [
            ("args", args),
            ("config", config),
            ("env", checked_env(variables)?),
            ("network", Value::Bool(self.network)),
            ("ref", program),
            ("resources", self.resources),
            ("rootfs", rootfs),
            ("timeout", self.timeout),
        ];
        let depfile = self.depfile.map(|path| ("depfile", Value::String(path)));
        let fields = fields.into_iter().chain(depfile);
        Ok(fields.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

fn tag(value: &Value) -> Option<&str> {
    value.get("type").and_then(Value::as_str)
}

/// Whether `value` can be used as a file: it is a file, or a promise that may become one.
fn fits_file(value: &Value) -> bool {
    value.is_null() || matches!(tag(value), Some("file" | "ref"))
}

fn check_program(program: &Value) -> Result<()> {
    if matches!(tag(program), Some("program" | "image" | "entrypoint")) {
        return Ok(());
    }
    if !fits_file(program) {
        let found = tag(program).map_or(json_kind(program).to_owned(), |tag| format!("a {tag}"));
        refuse!(
            Note::new(format!("`ref` of exec() must name a file, not {found}")).argument("ref")
        );
    }
    if program.get("path").and_then(Value::as_str).is_some_and(|path| path.ends_with('/')) {
        refuse!(
            Note::new("`ref` of exec() is a directory: only a file can be executed")
                .argument("ref")
        );
    }
    Ok(())
}

/// Refuses an image's entry point if the root is not an image.
fn check_entrypoint(program: &Value, rootfs: &Value) -> Result<()> {
    if tag(program) == Some("entrypoint") && tag(rootfs) != Some("image") {
        refuse!(
            Note::new("`wake.ENTRYPOINT` requires an image as `rootfs` of exec()")
                .argument("ref")
                .hint("use `rootfs={ image: 'HOST/REPOSITORY:TAG' }`")
        );
    }
    Ok(())
}

fn check_rootfs(rootfs: &Value) -> Result<()> {
    let fits = rootfs.is_string()
        || fits_file(rootfs)
        || matches!(tag(rootfs), Some("ware" | "module" | "pkg" | "hostPackages" | "image"));
    if !fits {
        let found = json_kind(rootfs);
        refuse!(
            Note::new(format!("`rootfs` of exec() must be a file, a directory, a package, a module, a ware or an image, not {found}"))
                .argument("rootfs")
        );
    }
    Ok(())
}

fn check_args(args: &Value) -> Result<()> {
    let items = match args {
        Value::Null => return Ok(()),
        Value::Array(items) => items,
        other => {
            refuse!(
                Note::new(format!(
                    "`args` of exec() must be a list of strings, not {}",
                    json_kind(other)
                ))
                .argument("args")
            )
        }
    };
    for (index, item) in items.iter().enumerate() {
        match item {
            Value::String(text) if text.contains('\0') => {
                refuse!(Note::new("an argument of a command cannot contain a NUL character").argument("args").key(index.to_string()))
            }
            Value::String(_) => {}
            file if fits_file(file) => {}
            other => refuse!(Note::new(format!(
                "`args` of exec() must contain strings and files, not {} as element {index}",
                json_kind(other)
            ))
            .argument("args")
            .key(index.to_string())
            .hint("use std.toString(value) to convert a value to a string, or pass structured values in `config`")),
        }
    }
    Ok(())
}

/// Checks the environment variables, and converts integers to strings.
fn checked_env(variables: Value) -> Result<Value> {
    let fields = match variables {
        Value::Null => return Ok(json!({})),
        Value::Object(fields) if fields.get("type").and_then(Value::as_str) != Some("ref") => {
            fields
        }
        other => {
            refuse!(
                Note::new(format!("`env` of exec() must be an object, not {}", json_kind(&other)))
                    .argument("env")
            )
        }
    };
    let mut checked = Map::new();
    for (name, value) in fields {
        if name.is_empty() || name.contains(['=', '\0']) {
            refuse!(
                Note::new(format!("`{name}` is not a valid name for an environment variable"))
                    .argument("env")
                    .key(name)
                    .at_key()
            );
        }
        let value =
            variable(&name, value).map_err(|note| note.argument("env").key(name.as_str()))?;
        checked.insert(name, value);
    }
    Ok(Value::Object(checked))
}

fn variable(name: &str, value: Value) -> std::result::Result<Value, Note> {
    let number = value.as_f64();
    let value = match value {
        Value::Number(_) if number.is_some_and(|number| number.fract() == 0.0) => {
            Value::String(wake_model::json::canonical(&value))
        }
        Value::String(_) => value,
        file if fits_file(&file) => file,
        Value::Array(items) => {
            if let Some(other) = items.iter().find(|item| !item.is_string() && !fits_file(item)) {
                return Err(Note::new(format!(
                    "environment variable `{name}` must be a list of strings and files, but it contains {}",
                    json_kind(other)
                )));
            }
            Value::Array(items)
        }
        other => {
            return Err(Note::new(format!(
                "environment variable `{name}` must be a string, an integer, a file or a list of strings, not {}",
                json_kind(&other)
            )));
        }
    };
    let length = bytes(&value);
    if length > ENV_LIMIT {
        return Err(Note::new(format!("environment variable `{name}` has {length} bytes: the limit is {ENV_LIMIT}"))
            .hint("put large values in `config`, or in a file with wake.file(path, from=value, dump=true)"));
    }
    Ok(value)
}

/// Returns the minimum length of the variable in bytes: its parts, joined by one character.
fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => {
            items.iter().map(bytes).sum::<usize>() + items.len().saturating_sub(1)
        }
        file => file.get("path").and_then(Value::as_str).map_or(0, str::len),
    }
}
