//! Objects that show a declaration as JSON.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use jrsonnet_evaluator::{ObjValue, Result, Val, Visibility};
use serde_json::Value;

use super::from_json;
use super::write::{Json, text_of};
use crate::engine::lazy::{self, Fields};

/// Creates an object with the fields of the JSON of `declared`, which is generated on first access.
pub(crate) fn shown(declared: Rc<impl Json + 'static>) -> ObjValue {
    lazy::object(Shown { declared, json: OnceCell::new() })
}

struct Shown<T> {
    declared: Rc<T>,
    json: OnceCell<Value>,
}

impl<T: Json> Shown<T> {
    fn json(&self) -> &Value {
        // Generated JSON is valid.
        self.json.get_or_init(|| serde_json::from_str(&text_of(&self.declared)).unwrap_or_default())
    }
}

impl<T: Json + 'static> Fields for Shown<T> {
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut names = self.json().as_object().into_iter().flatten();
        names.try_for_each(|(name, _)| each(name, Visibility::Normal))
    }

    fn value(&self, name: &str) -> Result<Option<Val>> {
        Ok(self.json().get(name).map(from_json))
    }
}
