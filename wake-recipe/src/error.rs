//! Diagnostics of failed builds.

use wake_asset::{AssetError, Kind};
use wake_steps::diagnostic::{Class, Diagnostic, Level, Place};
use wake_yaml::DocumentError;

pub use wake_yaml::Warning;

/// Converts an error in a document to a diagnostic at its location.
pub fn of_document(error: &DocumentError) -> Diagnostic {
    let place = (error.place.line > 0).then(|| Place {
        file: error.place.file.to_string(),
        line: error.place.line,
        column: error.place.column,
        end_column: error.place.column + 1,
        source_line: error.source_line.clone(),
        label: None,
    });
    let message = match place {
        Some(_) => error.message.clone(),
        None => error.to_string(),
    };
    let mut diagnostic = Diagnostic::error(Class::Evaluation, message).at(place);
    diagnostic.help.extend(error.hint.clone());
    diagnostic
}

/// Converts a warning about a document.
pub fn warning(error: &Warning) -> Diagnostic {
    Diagnostic { level: Level::Warning, ..of_document(error) }
}

/// Converts an error of an asset registry.
pub fn of_asset(error: &AssetError) -> Diagnostic {
    if let AssetError::Document(error) = error {
        return of_word(error);
    }
    let class = match error.kind() {
        Kind::Usage => Class::Usage,
        Kind::Nothing => Class::Nothing,
        Kind::Document => Class::Evaluation,
        Kind::Conflict => Class::Resolution,
        Kind::Integrity => Class::Integrity,
        Kind::Network => Class::Network,
        Kind::Environment => Class::Environment,
        Kind::Interrupted => Class::Interrupted,
    };
    let mut diagnostic = Diagnostic::error(class, error.to_string());
    diagnostic.help.extend(error.hint());
    diagnostic
}

/// Converts an error in a document, underlining the word at its location.
fn of_word(error: &DocumentError) -> Diagnostic {
    let mut diagnostic = of_document(error);
    if let Some(place) = &mut diagnostic.place {
        let word = place.source_line.chars().skip(place.column.saturating_sub(1));
        let width = word.take_while(|c| !c.is_whitespace() && *c != ':').count().max(1);
        place.end_column = place.column + width;
    }
    diagnostic
}
