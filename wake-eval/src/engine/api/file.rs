//! `file`, `ref` and `dir`: files.

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{IStr, ObjValueBuilder, Result, Val};
use wake_model::RelPath;

use super::call::{Call, Param, ReferenceValue, Spec, text_list};
use crate::engine::env::Phase;
use crate::engine::globs;
use crate::engine::json::json_kind;
use crate::engine::note::{Note, refuse};
use crate::engine::reference::WrittenReference;
use crate::engine::to_json::{Promises, to_json};

pub(crate) static FILE: Spec = Spec {
    name: "wake.file",
    params: &[
        Param::required("path"),
        Param::optional("from"),
        Param::optional("dump"),
        Param::optional("text"),
    ],
    member: true,
    run: file,
};

pub(crate) static REF: Spec =
    Spec { name: "wake.ref", params: &[Param::required("from")], member: true, run: reference };

pub(crate) static DIR: Spec = Spec {
    name: "wake.dir",
    params: &[Param::required("include"), Param::optional("exclude")],
    member: true,
    run: dir,
};

fn file(call: &Call<'_>) -> Result<Val> {
    let path = path(call)?;
    let dump = call.flag("dump")?;
    let text = call.text("text")?;
    if text.is_some() && (dump || call.given("from")) {
        refuse!(
            call.fault(
                "text",
                "is the whole content, and cannot be combined with `from` or `dump`"
            )
        );
    }
    let from = if dump {
        if !call.given("from") {
            refuse!(call.fault("dump", "is true, but there is no `from` to write"));
        }
        let value = call.get("from")?.unwrap_or(Val::Null);
        to_json(call.env, format_args!("`from` of file()"), Promises::Skip, &value)?;
        value
    } else {
        match call.get("from")? {
            None => Val::Null,
            Some(value) => linked(call, &value)?,
        }
    };
    if matches!(from, Val::Null)
        && !dump
        && text.is_none()
        && call.env.phase.get() == Phase::PkgInputs
    {
        call.reference("path", &Val::string(path.as_str()))?;
    }
    let mut builder = ObjValueBuilder::with_capacity(5);
    builder.field("type").value("file");
    builder.field("path").value(path.as_str());
    builder.field("from").value(from);
    builder.field("dump").value(Val::Bool(dump));
    if let Some(text) = text {
        builder.field("text").value(text);
    }
    Ok(Val::Obj(builder.build()))
}

fn path(call: &Call<'_>) -> Result<String> {
    let text = call.required_text("path")?;
    let path = RelPath::parse(&text).map_err(|error| Note::from(error).argument("path"))?;
    if path.is_root() {
        refuse!(call.fault("path", "must name a file, not the whole package"));
    }
    if path.components().next() == Some(".wake") {
        refuse!(call.fault("path", "is in `.wake`, which is reserved for wake"));
    }
    let slash = if text.ends_with('/') { "/" } else { "" };
    Ok(format!("{}{slash}", path.dotted()))
}

/// Returns the target of a link: a file, or a promise of one.
fn linked(call: &Call<'_>, value: &Val) -> Result<Val> {
    let target = call.reference("from", value)?;
    let json = to_json(call.env, format_args!("`from` of file()"), Promises::Skip, &target)?;
    if !json.is_null() && json.get("type").and_then(serde_json::Value::as_str) != Some("file") {
        refuse!(
            call.fault("from", format!("must name a file, not {}", json_kind(&json)))
                .hint("use dump=true to write any value as JSON")
        );
    }
    Ok(target)
}

fn reference(call: &Call<'_>) -> Result<Val> {
    let Some(value) = call.get("from")? else {
        refuse!(call.expected("from", "a reference", &Val::Null));
    };
    let Val::Arr(items) = &value else { return call.reference("from", &value) };
    match WrittenReference::of(&value)? {
        Some(written) => call.resolve("from", written).map(ReferenceValue::into_val),
        // The clearest error is that it does not start like a reference.
        None => Err(starts_none(call, items)?.into()),
    }
}

/// Returns the error for a list of parts that is not a reference.
fn starts_none(call: &Call<'_>, parts: &ArrValue) -> Result<Note> {
    let head = parts
        .get(0)?
        .map(|head| to_json(call.env, format_args!("the reference"), Promises::Skip, &head))
        .transpose()?;
    let head = head.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    let expected = "expected `./`, `input`, `output`, `pkg` or `module`";
    Ok(Note::new(format!("`{head}` does not start a reference: {expected}")).argument("from"))
}

fn dir(call: &Call<'_>) -> Result<Val> {
    let include = globs(call, "include")?;
    let exclude = globs(call, "exclude")?;
    let files = globs::list(&call.env.world, &include, &exclude)?;
    Ok(Val::Arr(files.into_iter().map(Val::string).collect()))
}

fn globs(call: &Call<'_>, argument: &str) -> Result<Vec<IStr>> {
    match call.get(argument)? {
        None => Ok(Vec::new()),
        Some(value) => text_list(call, argument, "a glob or a list of globs", &value),
    }
}
