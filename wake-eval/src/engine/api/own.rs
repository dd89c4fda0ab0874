//! `own`: a file of the package in which the call is written, whoever uses the result.

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{Result, Val};
use wake_model::RelPath;
use wake_model::nearest::nearest;

use super::call::{Call, Param, ReferenceValue, Spec, native, native_of_turn};
use crate::Way;
use crate::engine::env::Env;
use crate::engine::json::from_json;
use crate::engine::note::{Note, refuse};
use crate::engine::reference::WrittenReference;
use crate::engine::resolve::file_object;

/// Created for the file in which the call is written; for none if that is unknown.
pub(crate) static OWN: Spec =
    Spec { name: "wake.own", params: &[Param::required("path")], member: true, run: own };

/// Called by rewritten texts for `value.own`; created for the calling file.
pub(crate) static FIELD_OWN: Spec =
    Spec { name: "__w_w", params: &[Param::required("value")], member: false, run: field };

/// Creates the function that `file` calls for `value.own`.
pub(crate) fn field_own(env: &Env, file: String) -> FuncVal {
    native(env, &FIELD_OWN, file)
}

fn field(call: &Call<'_>) -> Result<Val> {
    let value = call.get("value")?.unwrap_or(Val::Null);
    match &value {
        Val::Obj(object) => match call.env.turn_of(object) {
            Some(turn) => {
                let file = call.made_for.to_owned();
                Ok(Val::Func(native_of_turn(call.env, &OWN, file, turn)))
            }
            None => object.get_or_bail("own".into()),
        },
        other => Err(Note::new(format!("{} has no fields", other.value_type())).into()),
    }
}

fn own(call: &Call<'_>) -> Result<Val> {
    if call.made_for.is_empty() {
        refuse!(Note::new("own() must be written literally as `wake.own(path)`"));
    }
    let text = call.required_text("path")?;
    let Some(Way { keys, .. }) = Way::parse(call.made_for) else {
        let written = WrittenReference::Text(format!("./{}", text.trim_start_matches("./")));
        return call.resolve("path", written).map(ReferenceValue::into_val);
    };
    let path = RelPath::parse(&text).map_err(|error| Note::from(error).argument("path"))?;
    let library = call.env.library(&keys)?;
    let way = Way { keys, path };
    let Some(path) = call.env.world.named(&library, &way) else {
        let files = library.library.files.iter().map(RelPath::as_str);
        let key = &library.key;
        let note =
            Note::new(format!("`{text}` is not in the `files` of {key}, where this is written"));
        refuse!(note.argument("path").suggest(nearest(way.path.as_str(), files)));
    };
    Ok(from_json(&file_object(&path)))
}
