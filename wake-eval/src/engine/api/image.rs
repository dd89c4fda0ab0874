//! `image`: a container image that wake assembles.

use std::rc::Rc;

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{ObjValue, ObjValueBuilder, Result, Val};
use serde_json::{Value, json};
use wake_model::RelPath;
use wake_model::place::is_foreign;

use super::call::{Call, Param, Spec};
use super::exec::ExecDecl;
use super::image_name::named_image;
use crate::engine::json::{from_json, kind};
use crate::engine::note::{Note, amend, refuse};
use crate::engine::to_json::{Promises, Template};

pub(crate) static IMAGE: Spec = Spec {
    name: "wake.image",
    params: &[
        Param::optional("files"),
        Param::optional("base"),
        Param::optional("entrypoint"),
        Param::optional("cmd"),
        Param::optional("env"),
        Param::optional("user"),
        Param::optional("workdir"),
        Param::optional("labels"),
        Param::optional("platform"),
        Param::optional("to"),
    ],
    member: true,
    run: image,
};

/// The keys of a source in an image.
const PLACED: [&str; 3] = ["from", "mode", "owner"];

fn image(call: &Call<'_>) -> Result<Val> {
    let base = match call.get("base")? {
        None | Some(Val::Null) => Val::Null,
        Some(value) => named_image(call, "base", &value)?,
    };
    let mut config = ObjValueBuilder::with_capacity(10);
    config.field("base").value(base);
    config.field("layers").value(layers(call)?);
    for name in ["entrypoint", "cmd"] {
        config.field(name).value(text_list(call, name)?);
    }
    for name in ["env", "labels"] {
        config.field(name).value(text_fields(call, name)?);
    }
    for name in ["user", "workdir", "platform"] {
        let text = call.text(name)?;
        if name == "workdir" && text.as_ref().is_some_and(|text| !text.starts_with('/')) {
            refuse!(call.fault("workdir", "must be an absolute path, such as '/srv'"));
        }
        config.field(name).value(text.map_or(Val::Null, Val::string));
    }
    config.field("to").value(Val::string(to(call)?));
    let config = Val::Obj(config.build());
    let template = Template::of(call.env, format_args!("an argument of image()"), &config)?;
    let decl = ExecDecl::of_wake(Template::from(json!({"type": "image"})), template);
    let mut builder = ObjValueBuilder::with_capacity(1);
    builder.field("type").value("exec");
    Ok(call.env.declarations.keep(builder.build(), Rc::new(decl)))
}

/// Returns the layers declared by `files`, an object or a list of objects: the source for each path.
fn layers(call: &Call<'_>) -> Result<Val> {
    let layers = match call.get("files")? {
        None | Some(Val::Null) => Vec::new(),
        Some(Val::Obj(object)) => vec![layer(call, &object, None)?],
        Some(Val::Arr(items)) => {
            let mut layers = Vec::new();
            for (index, item) in items.iter().enumerate() {
                match item? {
                    reference @ Val::Str(_) => layers.push(packed(call, &reference, index)?),
                    Val::Obj(object) if is_reference(call, &object) => {
                        layers.push(packed(call, &Val::Obj(object), index)?);
                    }
                    Val::Obj(object) => layers.push(layer(call, &object, Some(index))?),
                    other => {
                        let found = kind(&other);
                        let message =
                            format!("must contain objects or references to layers, not {found}");
                        refuse!(call.fault("files", message).key(index.to_string()));
                    }
                }
            }
            layers
        }
        Some(other) => {
            let expected = "an object of paths in the image, or a list of such objects";
            return Err(call.expected("files", expected, &other).into());
        }
    };
    Ok(Val::Arr(ArrValue::new(layers)))
}

/// Whether an object is a reference or a file: paths in an image start with a slash.
fn is_reference(call: &Call<'_>, object: &ObjValue) -> bool {
    object.has_field("type".into()) || call.env.promises.borrow().contains_key(object)
}

/// Returns a layer that a command created.
fn packed(call: &Call<'_>, reference: &Val, number: usize) -> Result<Val> {
    let at = |note: Note| note.key(number.to_string());
    let layer = call.reference("files", reference).map_err(|error| amend(error, at))?;
    let mut builder = ObjValueBuilder::with_capacity(1);
    builder.field("layer").value(layer);
    Ok(Val::Obj(builder.build()))
}

fn layer(call: &Call<'_>, object: &ObjValue, number: Option<usize>) -> Result<Val> {
    let mut placed = Vec::new();
    for (to, value) in object.iter() {
        let value = value?;
        let at = |note: Note| {
            let mut keys: Vec<String> =
                number.map(|number| number.to_string()).into_iter().collect();
            keys.push(to.to_string());
            note.keys(keys)
        };
        let is_path = to.starts_with('/') && !to.split('/').any(|part| matches!(part, "." | ".."));
        if !is_path {
            let message = format!(
                "has `{to}` as a path in the image, which must start with `/` and contain no `.` or `..`"
            );
            refuse!(at(call.fault("files", message)));
        }
        let (from, rest) = match &value {
            Val::Obj(object)
                if object.has_field("from".into()) && !object.has_field("type".into()) =>
            {
                call.check_keys("files", object, &PLACED)?;
                (object.get("from".into())?.unwrap_or(Val::Null), Some(object.clone()))
            }
            other => (other.clone(), None),
        };
        let from = call.reference("files", &from).map_err(|error| amend(error, at))?;
        let mode = rest.as_ref().map(|rest| rest.get("mode".into())).transpose()?.flatten();
        let owner = rest.as_ref().map(|rest| rest.get("owner".into())).transpose()?.flatten();
        let mode = match mode {
            None | Some(Val::Null) => Value::Null,
            Some(Val::Str(text)) => match octal(&text.clone().into_flat()) {
                Some(mode) => json!(mode),
                None => refuse!(at(call.fault(
                    "files",
                    "must have a string of octal digits as `mode`, such as '0755'"
                ))),
            },
            Some(_) => refuse!(at(
                call.fault("files", "must have a string of octal digits as `mode`, such as '0755'")
            )),
        };
        let owner = match owner {
            None | Some(Val::Null) => Some((0, 0)),
            Some(Val::Str(text)) => owners(&text.clone().into_flat()),
            Some(_) => None,
        };
        let Some((uid, gid)) = owner else {
            refuse!(at(call.fault(
                "files",
                "must have the numbers of a user and a group as `owner`, such as '1000:1000'"
            )));
        };
        let mut builder = ObjValueBuilder::with_capacity(5);
        builder.field("to").value(Val::string(to.clone()));
        builder.field("from").value(from);
        builder.field("mode").value(from_json(&mode));
        builder.field("uid").value(from_json(&json!(uid)));
        builder.field("gid").value(from_json(&json!(gid)));
        placed.push(Val::Obj(builder.build()));
    }
    Ok(Val::Arr(ArrValue::new(placed)))
}

fn octal(text: &str) -> Option<u16> {
    let fits = (3..=5).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    u16::from_str_radix(text, 8).ok().filter(|mode| fits && *mode <= 0o7777)
}

fn owners(text: &str) -> Option<(u32, u32)> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|id| is_number && *id < u32::MAX)
    };
    Some((number(uid)?, number(gid)?))
}

fn text_list(call: &Call<'_>, name: &str) -> Result<Val> {
    let Some(value) = call.get(name)?.filter(|value| !matches!(value, Val::Null)) else {
        return Ok(Val::Null);
    };
    let texts = super::call::text_list(call, name, "a list of strings", &value)?;
    Ok(Val::Arr(ArrValue::new(texts.into_iter().map(Val::string).collect::<Vec<_>>())))
}

fn text_fields(call: &Call<'_>, name: &str) -> Result<Val> {
    let Some(object) = call.object(name)? else { return Ok(Val::Null) };
    let json = call.json_of(name, Promises::Refuse, &Val::Obj(object))?;
    for (key, value) in json.as_object().into_iter().flatten() {
        if key.is_empty() || key.contains(['=', '\0']) {
            refuse!(call.fault(name, format!("has `{key}`, which is not a valid name")).key(key));
        }
        if !value.is_string() {
            let found = crate::engine::json::json_kind(value);
            refuse!(call.fault(name, format!("must contain strings, not {found}")).key(key));
        }
    }
    Ok(from_json(&json))
}

/// Returns the output directory that becomes the image layout.
fn to(call: &Call<'_>) -> Result<String> {
    let Some(text) = call.text("to")? else { return Ok("./image".to_owned()) };
    let path = RelPath::parse(text.trim_end_matches('/'))
        .map_err(|error| Note::from(error).argument("to"))?;
    if !text.starts_with("./") || path.is_root() || is_foreign(&path) {
        refuse!(call.fault("to", "must be the path of a directory, such as './image'"));
    }
    Ok(path.dotted())
}
