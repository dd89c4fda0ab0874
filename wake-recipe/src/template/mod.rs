//! Texts in which values are filled in: Jinja, or the older form with single braces.
//!
//! | file | has |
//! |---|---|
//! | `place` | where in a document a part of a template stands |
//! | `format` | texts with `{name}`, as Python's `str.format` reads them |
//! | `jinja` | texts with `{{name}}` |

mod place;
mod format;
mod jinja;

use serde_json::{Map, Value};
use wake_yaml::{DocumentError, Warning};

use self::format::FormatText;
use self::jinja::JinjaText;
pub(crate) use self::place::Written;

/// What is filled into templates: a namespace or a value by its name.
pub type Values = Map<String, Value>;

/// A text in which values are filled in.
#[derive(Clone, Debug)]
pub struct Template {
    written: Written,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Jinja(JinjaText),
    Format(FormatText),
}

impl Template {
    /// Reads a template of Jinja. What Jinja would refuse and published recipes have is read as it is meant, with a warning.
    pub(crate) fn jinja(written: Written) -> Result<(Template, Vec<Warning>), DocumentError> {
        let (text, warnings) = JinjaText::read(&written)?;
        Ok((Template { written, form: Form::Jinja(text) }, warnings))
    }

    /// Reads a template of the older form.
    pub(crate) fn format(written: Written) -> Result<Template, DocumentError> {
        let text = FormatText::read(&written)?;
        Ok(Template { written, form: Form::Format(text) })
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.written.text
    }

    /// The names that it takes values from, as `files.fasta`; no more is known of a name that is looked up by a computed key.
    pub fn names(&self) -> Vec<String> {
        match &self.form {
            Form::Jinja(text) => text.names(),
            Form::Format(text) => text.names(),
        }
    }

    /// The text with `values` filled in. A name that has no value is an error at its place.
    pub fn render(&self, values: &Values) -> Result<String, DocumentError> {
        match &self.form {
            Form::Jinja(text) => text.render(&self.written, values),
            Form::Format(text) => text.render(&self.written, values),
        }
    }

    /// That every name in it has a value, also one that is not reached.
    pub(crate) fn check_names(&self, values: &Values) -> Result<(), DocumentError> {
        match self.names().into_iter().find(|name| !is_defined(name, values)) {
            Some(name) => {
                let (message, hint) = undefined(&name, values);
                Err(DocumentError { hint, ..self.written.error_of(&name, message) })
            }
            None => Ok(()),
        }
    }

    /// An error about the template as a whole.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.written.error(message)
    }

    /// An error where `name` stands in it.
    pub fn error_at_name(&self, name: &str, message: impl Into<String>) -> DocumentError {
        self.written.error_of(name, message)
    }
}

/// That `name`, such as `files.fast`, has no value among `values`, with the nearest one that has.
fn undefined(name: &str, values: &Values) -> (String, Option<String>) {
    let mut parts = name.split('.');
    let first = parts.next().unwrap_or_default();
    let (mut inside, mut way) = (values, String::new());
    let mut part = first;
    loop {
        let Some(value) = inside.get(part) else {
            let known = inside.keys().map(String::as_str);
            let whole =
                |near: &str| if way.is_empty() { near.to_owned() } else { format!("{way}.{near}") };
            let hint = match wake_model::nearest::nearest(part, known) {
                Some(near) => Some(format!("did you mean `{}`?", whole(near))),
                None if way.is_empty() => Some(format!("there are `{}`", listed(inside))),
                None if inside.is_empty() => Some(format!("`{way}` has nothing in this recipe")),
                None => Some(format!("`{way}` has `{}`", listed(inside))),
            };
            return (format!("`{}` is not defined", whole(part)), hint);
        };
        way = if way.is_empty() { part.to_owned() } else { format!("{way}.{part}") };
        match (value, parts.next()) {
            (Value::Object(fields), Some(next)) => (inside, part) = (fields, next),
            (_, Some(next)) => return (format!("`{way}` has no `{next}`"), None),
            (_, None) => return (format!("`{name}` is not defined"), None),
        }
    }
}

/// Whether `name` has a value.
fn is_defined(name: &str, values: &Values) -> bool {
    let mut inside = Some(values);
    for part in name.split('.') {
        let Some(value) = inside.and_then(|fields| fields.get(part)) else { return false };
        inside = match value {
            Value::Object(fields) => Some(fields),
            // What a text or a list has by a name is the engine's business.
            _ => return true,
        };
    }
    true
}

fn listed(values: &Values) -> String {
    values.keys().map(String::as_str).collect::<Vec<_>>().join("`, `")
}
