//! `test` and `tags` of a module.

use jrsonnet_evaluator::{IStr, ObjValue, Result, Val};
use serde_json::{Value, json};
use wake_model::declared::{LONGEST_TIMEOUT, is_timeout};

use super::call::{Call, text_list};
use crate::engine::json::json_number;
use crate::engine::note::{Note, amend, refuse};

/// The test settings and tags of a module.
pub(super) struct Test {
    /// `None` if it is not a test.
    pub(super) test: Option<Value>,
    /// Sorted, without duplicates.
    pub(super) tags: Vec<IStr>,
}

/// The sizes of tests, and their time limits in seconds.
const SIZES: [(&str, u32); 4] =
    [("small", 60), ("medium", 300), ("large", 900), ("enormous", 3600)];

/// The maximum number of retries.
const MOST_RETRIES: f64 = 100.0;

/// The maximum length of a tag, in characters.
const LONGEST_TAG: usize = 64;

pub(super) fn test(call: &Call<'_>) -> Result<Test> {
    let mut tags = match call.get("tags")? {
        Some(value) => read_tags(call, "tags", &value)?,
        None => Vec::new(),
    };
    let test = match call.get("test")? {
        None | Some(Val::Bool(false)) => None,
        Some(Val::Bool(true)) => Some(json!({"exclusive": false, "retries": 0, "timeout": null})),
        Some(Val::Obj(object)) => {
            if let Some(value) = object.get("tags".into())? {
                let own = read_tags(call, "test", &value);
                tags.extend(
                    own.map_err(|error| amend(error, |note| note.outer_key("tags".to_owned())))?,
                );
            }
            Some(read_test(call, &object)?)
        }
        Some(other) => {
            return Err(call.expected("test", "true or an object", &other).into());
        }
    };
    tags.sort_unstable();
    tags.dedup();
    Ok(Test { test, tags })
}

fn read_tags(call: &Call<'_>, argument: &str, value: &Val) -> Result<Vec<IStr>> {
    let tags = text_list(call, argument, "a list of strings", value)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    for tag in &tags {
        let is_tag = (1..=LONGEST_TAG).contains(&tag.len()) && tag.chars().all(fits);
        if !is_tag || tag.starts_with('-') {
            let message = format!(
                "`{tag}` is not a valid tag: tags consist of letters, digits, `_`, `-`, `.` and `:`"
            );
            refuse!(Note::new(message).argument(argument).key(tag.as_str()));
        }
    }
    Ok(tags)
}

fn read_test(call: &Call<'_>, object: &ObjValue) -> Result<Value> {
    call.check_keys("test", object, &["size", "timeout", "retries", "tags", "exclusive"])?;
    let get = |key: &str| -> Result<Option<Val>> {
        Ok(object.get(key.into())?.filter(|value| !matches!(value, Val::Null)))
    };
    let wrong = |key: &str, expected: &str| -> jrsonnet_evaluator::Error {
        call.fault("test", format!("must have {expected} as `{key}`")).key(key).into()
    };
    let by_size = match get("size")? {
        None => None,
        Some(Val::Str(size)) => {
            let size = size.into_flat();
            let found = SIZES.iter().find(|(name, _)| *size == **name);
            let expected = "'small', 'medium', 'large' or 'enormous'";
            Some(found.ok_or_else(|| wrong("size", expected))?.1)
        }
        Some(_) => return Err(wrong("size", "'small', 'medium', 'large' or 'enormous'")),
    };
    let timeout = match get("timeout")? {
        None => by_size.map_or(Value::Null, Value::from),
        Some(Val::Num(seconds)) if is_timeout(seconds.get()) => {
            json_number(seconds.get()).unwrap_or(Value::Null)
        }
        Some(_) => {
            let expected = format!("a number of seconds above 0 and at most {LONGEST_TIMEOUT}");
            return Err(wrong("timeout", &expected));
        }
    };
    let retries = match get("retries")? {
        None => 0.0,
        Some(Val::Num(number))
            if number.get().fract() == 0.0 && (0.0..=MOST_RETRIES).contains(&number.get()) =>
        {
            number.get()
        }
        Some(_) => return Err(wrong("retries", "a whole number from 0 to 100")),
    };
    let exclusive = match get("exclusive")? {
        None => false,
        Some(Val::Bool(flag)) => flag,
        Some(_) => return Err(wrong("exclusive", "true or false")),
    };
    Ok(json!({"exclusive": exclusive, "retries": retries as u32, "timeout": timeout}))
}
