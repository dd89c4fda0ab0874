//! Templates: Jinja, or `str.format` with single braces.
//!
//! | file | contains |
//! |---|---|
//! | `place` | locations of template parts in their document |
//! | `format` | templates with `{name}`, as in Python's `str.format` |
//! | `jinja` | templates with `{{name}}` |

mod place;
mod format;
mod jinja;

use serde_json::{Map, Value};
use wake_yaml::{DocumentError, Warning};

use self::format::FormatText;
use self::jinja::JinjaText;
pub(crate) use self::place::Written;

/// Template values: namespaces and values by name.
pub type Values = Map<String, Value>;

/// A template.
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
    /// Parses a Jinja template. Invalid constructs that published recipes contain are read as intended, with a warning.
    pub(crate) fn jinja(written: Written) -> Result<(Template, Vec<Warning>), DocumentError> {
        let (text, warnings) = JinjaText::read(&written)?;
        Ok((Template { written, form: Form::Jinja(text) }, warnings))
    }

    /// Parses a `str.format` template.
    pub(crate) fn format(written: Written) -> Result<Template, DocumentError> {
        let text = FormatText::read(&written)?;
        Ok(Template { written, form: Form::Format(text) })
    }

    /// Returns the text as written.
    pub fn source(&self) -> &str {
        &self.written.text
    }

    /// Returns the names it uses, such as `files.fasta`; of a lookup with a computed key, only the name before it.
    pub fn names(&self) -> Vec<String> {
        match &self.form {
            Form::Jinja(text) => text.names(),
            Form::Format(text) => text.names(),
        }
    }

    /// Renders the template with `values`. An undefined name is an error at its location.
    pub fn render(&self, values: &Values) -> Result<String, DocumentError> {
        match &self.form {
            Form::Jinja(text) => text.render(&self.written, values),
            Form::Format(text) => text.render(&self.written, values),
        }
    }

    /// Checks that every name is defined, even in branches that are not taken.
    pub(crate) fn check_names(&self, values: &Values) -> Result<(), DocumentError> {
        match self.names().into_iter().find(|name| !is_defined(name, values)) {
            Some(name) => {
                let (message, hint) = undefined(&name, values);
                Err(DocumentError { hint, ..self.written.error_of(&name, message) })
            }
            None => Ok(()),
        }
    }

    /// Returns an error about the whole template.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.written.error(message)
    }

    /// Returns an error at `name` in the template.
    pub fn error_at_name(&self, name: &str, message: impl Into<String>) -> DocumentError {
        self.written.error_of(name, message)
    }
}

/// Returns the message and hint for an undefined `name`, such as `files.fast`.
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
                None if way.is_empty() => Some(format!("the names are `{}`", listed(inside))),
                None if inside.is_empty() => Some(format!("`{way}` is empty in this recipe")),
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

/// Whether `name` is defined.
fn is_defined(name: &str, values: &Values) -> bool {
    let mut inside = Some(values);
    for part in name.split('.') {
        let Some(value) = inside.and_then(|fields| fields.get(part)) else { return false };
        inside = match value {
            Value::Object(fields) => Some(fields),
            // Attributes of strings and lists are left to the template engine.
            _ => return true,
        };
    }
    true
}

fn listed(values: &Values) -> String {
    values.keys().map(String::as_str).collect::<Vec<_>>().join("`, `")
}
