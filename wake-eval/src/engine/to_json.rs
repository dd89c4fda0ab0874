//! Conversion of the engine's values to JSON. All of a value is computed, and the promises in it are handled.

use std::fmt;
use std::rc::Rc;

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{IStr, ObjValue, Result, Val};
use serde_json::{Map, Value};

use super::env::Env;
use super::json::json_number;
use super::note::{Note, refuse};
use super::promise;
use super::reference::Reference;
use super::resolve;
use crate::Limit;

/// The maximum nesting: JSON readers, including ours, stop at 128, and a result is wrapped.
const DEPTH: usize = 100;

/// The maximum number of list elements to allocate in advance, because a list may claim to be larger than memory.
const FEW: u32 = 64;

/// How promises inside a value are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promises {
    /// Promises are not allowed.
    Refuse,
    /// Insert null, and record the promise.
    Skip,
    /// Everything exists now: insert the value.
    Fill,
    /// Leave the resolution to others: `{"type": "ref", "from": [...]}`.
    Keep,
}

/// Converts a value to JSON, forcing all of it, within the limits of the environment.
///
/// `what` names the value in errors: `the inputs`.
pub(crate) fn to_json(
    env: &Env,
    what: fmt::Arguments<'_>,
    promises: Promises,
    value: &Val,
) -> Result<Value> {
    Walk { env, what, promises, keys: Vec::new(), holes: Vec::new() }.value(value)
}

/// JSON with holes for promises.
#[derive(Clone)]
pub(crate) struct Template {
    /// The JSON, with null in the holes.
    pub(crate) json: Value,
    holes: Vec<(Vec<Key>, Rc<Reference>)>,
}

impl From<Value> for Template {
    fn from(json: Value) -> Self {
        Template { json, holes: Vec::new() }
    }
}

impl Template {
    /// Converts a value to JSON, forcing all of it, as [`to_json`] does.
    pub(crate) fn of(env: &Env, what: fmt::Arguments<'_>, value: &Val) -> Result<Template> {
        let (promises, keys, holes) = (Promises::Skip, Vec::new(), Vec::new());
        let mut walk = Walk { env, what, promises, keys, holes };
        Ok(Template { json: walk.value(value)?, holes: walk.holes })
    }

    /// Returns the JSON with each hole replaced by `fill` of its promise.
    pub(crate) fn filled(self, fill: impl Fn(&Reference) -> Result<Value>) -> Result<Value> {
        let Template { mut json, holes } = self;
        for (keys, reference) in &holes {
            let place = keys.iter().try_fold(&mut json, |place, key| match key {
                Key::Field(name) => place.get_mut(name.as_str()),
                Key::Index(index) => place.get_mut(index),
            });
            if let Some(place) = place {
                *place = fill(reference)?;
            }
        }
        Ok(json)
    }
}

/// Returns the JSON that represents a promise for others to resolve.
pub(crate) fn promise_json(reference: &Reference) -> Value {
    serde_json::json!({"type": "ref", "from": reference.written})
}

struct Walk<'a> {
    env: &'a Env,
    what: fmt::Arguments<'a>,
    promises: Promises,
    keys: Vec<Key>,
    holes: Vec<(Vec<Key>, Rc<Reference>)>,
}

/// A step from a value to one inside it.
#[derive(Clone)]
enum Key {
    Field(IStr),
    Index(usize),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Field(name) => f.write_str(name),
            Key::Index(index) => write!(f, "{index}"),
        }
    }
}

impl Walk<'_> {
    fn path(&self) -> String {
        self.keys.iter().map(Key::to_string).collect::<Vec<_>>().join(".")
    }

    fn value(&mut self, value: &Val) -> Result<Value> {
        if self.keys.len() > DEPTH {
            let message = format!("{} nests values more than {DEPTH} deep", self.what);
            return Err(Note::too_much(Limit::Depth, message).into());
        }
        match value {
            Val::Null => self.env.budget.spend(0).map(|()| Value::Null),
            Val::Bool(flag) => self.env.budget.spend(0).map(|()| Value::Bool(*flag)),
            Val::Num(number) => self.env.budget.spend(0).and_then(|()| self.number(number.get())),
            Val::Str(text) => {
                self.env.budget.spend(text.len())?;
                Ok(Value::String(text.into_flat().as_str().to_owned()))
            }
            Val::Arr(items) => self.list(items),
            Val::Obj(object) => self.object(object),
            Val::Func(_) => {
                let at = if self.keys.is_empty() {
                    String::new()
                } else {
                    format!(" at `{}`", self.path())
                };
                refuse!(
                    Note::new(format!(
                        "{} contains a function{at}: only plain values are allowed",
                        self.what
                    ))
                    .keys(self.keys.iter().map(Key::to_string))
                );
            }
        }
    }

    fn number(&self, number: f64) -> Result<Value> {
        json_number(number).ok_or_else(|| {
            Note::new(format!("{} contains a number that is not finite", self.what)).into()
        })
    }

    fn list(&mut self, items: &ArrValue) -> Result<Value> {
        self.env.budget.spend(0)?;
        let mut list = Vec::with_capacity(items.len().min(FEW) as usize);
        for (index, item) in items.iter().enumerate() {
            self.keys.push(Key::Index(index));
            list.push(self.value(&item?)?);
            self.keys.pop();
        }
        Ok(Value::Array(list))
    }

    fn object(&mut self, object: &ObjValue) -> Result<Value> {
        self.env.budget.spend(0)?;
        let promise = self.env.promises.borrow().get(object).cloned();
        if let Some(promise) = promise {
            return self.promise(&promise);
        }
        object.run_assertions()?;
        let mut map = Map::new();
        for name in object.fields() {
            let Some(value) = object.get(name.clone())? else { continue };
            self.env.budget.spend(name.len())?;
            self.keys.push(Key::Field(name.clone()));
            map.insert(name.as_str().to_owned(), self.value(&value)?);
            self.keys.pop();
        }
        Ok(Value::Object(map))
    }

    fn promise(&mut self, reference: &Rc<Reference>) -> Result<Value> {
        match self.promises {
            Promises::Refuse => {
                refuse!(
                    Note::new(format!(
                        "`{}` is not known yet: {} cannot contain a promise",
                        reference.written, self.what
                    ))
                    .hint(promise::MOVE)
                    .keys(self.keys.iter().map(Key::to_string))
                );
            }
            Promises::Skip => {
                self.holes.push((self.keys.clone(), reference.clone()));
                Ok(Value::Null)
            }
            Promises::Keep => Ok(promise_json(reference)),
            Promises::Fill => resolve::fill(self.env, reference),
        }
    }
}
