//! Names of container images in arguments.

use jrsonnet_evaluator::{Result, Val};

use super::call::Call;
use crate::engine::json::kind;

/// Returns the image that an argument names: by a string, or by a reference to a layout or an archive.
pub(super) fn named_image(call: &Call<'_>, argument: &str, value: &Val) -> Result<Val> {
    match value {
        Val::Str(text) => {
            let text = text.clone().into_flat();
            match is_reference(&text) {
                true => call.reference(argument, &Val::string(text)),
                false => Ok(Val::string(text)),
            }
        }
        Val::Obj(reference) => Ok(Val::Obj(reference.clone())),
        other => {
            let message = format!(
                "must be the name of an image, such as 'registry.example.org/os/debian:12', or a reference to one, not {}",
                kind(other)
            );
            Err(call.fault(argument, message).into())
        }
    }
}

/// Whether a text is a reference: it starts with `./`, or with one of a few words and a dot. Image names start
/// differently.
fn is_reference(text: &str) -> bool {
    let words = ["input", "inputs", "pkg", "pkgs", "module", "modules"];
    text.starts_with("./") || text.split_once('.').is_some_and(|(head, _)| words.contains(&head))
}
