//! Templates with `{{name}}`, rendered by the Jinja engine: strict, with limits on time and size.

use std::io;

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use wake_yaml::{DocumentError, Warning};

use super::{Values, Written, is_defined, undefined};

/// The most instructions a template may execute, so that every loop ends.
const FUEL: u64 = 200_000;

/// The most bytes a template may produce.
const LARGEST: usize = 1 << 20;

/// A parsed template.
#[derive(Clone, Debug)]
pub(super) struct JinjaText {
    /// The source for the engine.
    source: String,
}

impl JinjaText {
    /// Parses a template; invalid Jinja that occurs in published recipes is corrected, with a warning.
    pub(super) fn read(written: &Written) -> Result<(JinjaText, Vec<Warning>), DocumentError> {
        let mut warnings = Vec::new();
        let source = mended(written, &mut warnings);
        if let Err(error) = environment().template_from_str(&source) {
            let mut error = refused(written, &error);
            if error.hint.is_none() {
                let hint = "put literal braces between `{% raw %}` and `{% endraw %}`";
                error.hint = Some(hint.to_owned());
            }
            return Err(error);
        }
        Ok((JinjaText { source }, warnings))
    }

    pub(super) fn names(&self) -> Vec<String> {
        let environment = environment();
        let Ok(template) = environment.template_from_str(&self.source) else { return Vec::new() };
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.sort();
        names
    }

    pub(super) fn render(
        &self,
        written: &Written,
        values: &Values,
    ) -> Result<String, DocumentError> {
        let environment = environment();
        let template = environment
            .template_from_str(&self.source)
            .map_err(|error| refused(written, &error))?;
        let mut whole = Bounded::default();
        let context = minijinja::value::Serde(values);
        match template.render_captured_to(context, &mut whole) {
            Ok(_) => {}
            Err(_) if whole.is_full => {
                let message = format!("this template produces more than {} KiB", LARGEST >> 10);
                return Err(written.error(message));
            }
            Err(error) if error.kind() == ErrorKind::UndefinedError => {
                let missing = self.names().into_iter().find(|name| !is_defined(name, values));
                return Err(match missing {
                    Some(name) => {
                        let (message, hint) = undefined(&name, values);
                        let error = match written.text.contains(&name) {
                            true => written.error_of(&name, message),
                            false => place(written, &error, message),
                        };
                        DocumentError { hint, ..error }
                    }
                    None => refused(written, &error),
                });
            }
            Err(error) if error.kind() == ErrorKind::OutOfFuel => {
                return Err(written.error("this template runs too long").with_hint(format!(
                    "the limit is {FUEL} instructions; loop in the shell instead"
                )));
            }
            Err(error) => return Err(refused(written, &error)),
        }
        String::from_utf8(whole.bytes)
            .map_err(|_| written.error("the output of this template is not UTF-8"))
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    // As in Python, the language of refgenie.
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "True" } else { "False" })?),
        ValueKind::None => Ok(out.write_str("None")?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment
}

fn refused(written: &Written, error: &Error) -> DocumentError {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let problem = match error.kind() {
        ErrorKind::SyntaxError => "invalid Jinja template",
        _ => "this template cannot be rendered",
    };
    place(written, error, format!("{problem}: {what}"))
}

fn place(written: &Written, error: &Error, message: String) -> DocumentError {
    match (error.range(), error.line()) {
        (Some(range), _) if range.start <= written.text.len() => {
            let mut start = range.start;
            while !written.text.is_char_boundary(start) {
                start -= 1;
            }
            written.error_at(start, message)
        }
        (_, Some(line)) => written.error_in_line(line, message),
        _ => written.error(message),
    }
}

/// Returns the text in a form that the engine can parse.
///
/// Published recipes contain two constructs that Jinja always rejects: `{{{name}}}`, and `{{` before awk
/// commands.
fn mended(written: &Written, warnings: &mut Vec<Warning>) -> String {
    let text = &written.text;
    let (mut source, mut from) = (String::new(), 0);
    while let Some(at) = text[from..].find("{{").map(|at| from + at) {
        source.push_str(&text[from..at]);
        let inside = &text[at + 2..];
        if let Some(name) = inside.strip_prefix('{').and_then(|rest| rest.split_once("}}}")) {
            let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
            if !name.0.is_empty() && name.0.chars().all(is_name) {
                let name = name.0;
                let message = format!(
                    "`{{{{{{{name}}}}}}}` is not valid Jinja; it is read as `{{{{{name}}}}}`"
                );
                warnings.push(written.error_at(at, message).with_hint("use two braces"));
                source.push_str(&format!("{{{{{name}}}}}"));
                from = at + name.len() + 6;
                continue;
            }
        }
        match expression_end(inside) {
            Some(length) => {
                source.push_str(&text[at..at + 2 + length]);
                from = at + 2 + length;
            }
            None => {
                let message = "these braces are kept as they are: what they enclose is not a Jinja expression";
                let hint = "put them between `{% raw %}` and `{% endraw %}`";
                warnings.push(written.error_at(at, message).with_hint(hint));
                source.push_str("{{'{{'}}");
                from = at + 2;
            }
        }
    }
    source.push_str(&text[from..]);
    source
}

/// Returns the length of the expression that starts here, with its closing braces; none if a `$` or `;` shows that it is not one.
fn expression_end(inside: &str) -> Option<usize> {
    let mut quote = None;
    let bytes = inside.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at + 2),
            (None, b'$' | b';') => return None,
            (None, _) => {}
        }
        at += 1;
    }
    // Not closed: the engine reports it.
    Some(inside.len())
}

/// The output of a template, up to the size limit.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > LARGEST {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
