//! Names in recipes: of inputs, parameters and custom properties.

use std::fmt;
use std::str::FromStr;

/// The name of an input or custom property: one word that is valid in a path and before a `=`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputName(Box<str>);

/// Why a text is not a valid input name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid input name: {problem}")]
pub struct InputNameError {
    text: String,
    problem: &'static str,
}

/// The most bytes in a name.
const LONGEST: usize = 100;

impl InputName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InputName {
    type Err = InputNameError;

    fn from_str(text: &str) -> Result<Self, InputNameError> {
        let separates = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '=');
        let problem = match text {
            "" => "it is empty",
            "." | ".." => "it names a directory",
            _ if text.len() > LONGEST => "it is too long",
            _ if text.contains(separates) => "it contains a space, `/` or `=`",
            _ => return Ok(InputName(text.into())),
        };
        Err(InputNameError { text: text.escape_debug().to_string(), problem })
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
