//! A settings file: its text, and errors at their places.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_store::ConfinedPath;

/// The largest size of a settings file in bytes.
const LARGEST: u64 = 1 << 20;

/// A table with the positions of its keys and values.
pub(super) type Table<T = String> = BTreeMap<Spanned<String>, Spanned<T>>;

/// A settings file as it was read.
pub(super) struct SettingsText {
    text: String,
    /// Its name in messages.
    shown: String,
}

/// An error in a value, with its position.
pub(super) struct Fault {
    message: String,
    span: Range<usize>,
    help: Option<String>,
}

impl Fault {
    pub(super) fn at<T>(value: &Spanned<T>, message: impl ToString) -> Fault {
        Fault { message: message.to_string(), span: value.span(), help: None }
    }

    pub(super) fn help(self, help: String) -> Fault {
        Fault { help: Some(help), ..self }
    }
}

impl SettingsText {
    /// Reads the file, called `shown` in messages.
    pub(super) fn read(file: &ConfinedPath, shown: String) -> Result<SettingsText, Diagnostic> {
        let path = file.path();
        let bytes = file.read(LARGEST).map_err(|source| unread(&path, &source))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Diagnostic::error(Class::Usage, format!("`{}` is not UTF-8", path.display()))
        })?;
        Ok(SettingsText { text, shown })
    }

    /// Parses its tables.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        toml::from_str(&self.text).map_err(|error| {
            let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
            let help = meant(&message).map(|near| format!("did you mean `{near}`?"));
            let place = error.span().map(|span| self.place(span));
            let diagnostic = Diagnostic::error(Class::Usage, message).at(place);
            help.into_iter().fold(diagnostic, Diagnostic::help)
        })
    }

    /// Returns the diagnostic for an error in a value.
    pub(super) fn told(&self, fault: Fault) -> Diagnostic {
        let Fault { message, span, help } = fault;
        let diagnostic = Diagnostic::error(Class::Usage, message).at(Some(self.place(span)));
        help.into_iter().fold(diagnostic, Diagnostic::help)
    }

    /// Returns the place of a span in the file.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let text = &self.text;
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let source_line = text[line_start..].lines().next().unwrap_or("").to_owned();
        let column = before[line_start..].chars().count() + 1;
        let width =
            text.get(span).map_or(1, |found| found.lines().next().unwrap_or("").chars().count());
        Place {
            file: self.shown.clone(),
            line: before.matches('\n').count() + 1,
            column,
            end_column: column + width.max(1),
            source_line,
            label: None,
        }
    }
}

/// Returns the diagnostic for a settings file that cannot be read.
pub(super) fn unread(path: &Path, source: &io::Error) -> Diagnostic {
    // A refusal names the path itself.
    let at = source.get_ref().map_or_else(|| format!("`{}`: ", path.display()), |_| String::new());
    Diagnostic::error(Class::Environment, format!("{at}{source}"))
}

/// Returns the key that was probably meant, from the TOML reader's message: "unknown field `a`, expected one of `b`, `c`".
fn meant(message: &str) -> Option<&str> {
    let (wrong, known) = message.strip_prefix("unknown field `")?.split_once("`, expected")?;
    nearest(wrong, known.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_suggests_the_nearest() {
        assert_eq!(meant("unknown field `jobz`, expected `jobs` or `store`"), Some("jobs"));
        let one_of = "unknown field `htpp`, expected one of `mirrors`, `http`";
        assert_eq!(meant(one_of), Some("http"));
        assert_eq!(meant("unknown field `zzzzz`, expected `jobs`"), None);
        assert_eq!(meant("invalid type: integer `1`, expected a string"), None);
    }
}
