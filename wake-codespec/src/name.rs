//! The names of codespecs and of their buffers.

use std::fmt;
use std::str::FromStr;

/// The name of a codespec: lower-case letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodespecName(Box<str>);

/// Why a text is not a codespec name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodespecNameError {
    /// It contains another character.
    #[error(
        "`{0}` is not a valid codespec name: codespec names must contain only lower case letters (a-z), numbers (0-9), dashes (-), underscores (_), and dots (.)"
    )]
    Character(String),
    /// It is empty.
    #[error("a codespec name cannot be empty")]
    Empty,
    /// It is too long.
    #[error("the codespec name has {0} characters: at most {most} are allowed", most = CodespecName::LONGEST)]
    TooLong(usize),
}

impl CodespecName {
    /// The maximum number of characters.
    pub const LONGEST: usize = 200;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CodespecName {
    type Err = CodespecNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
        match text.len() {
            0 => Err(CodespecNameError::Empty),
            _ if !text.bytes().all(fits) => Err(CodespecNameError::Character(text.to_owned())),
            many if many > Self::LONGEST => Err(CodespecNameError::TooLong(many)),
            _ => Ok(CodespecName(text.into())),
        }
    }
}

impl fmt::Display for CodespecName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A reference to a codespec: `NAME` for the latest version, or `NAME/versions/N`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodespecReference {
    /// Its name.
    pub name: CodespecName,
    /// The version; none for the latest.
    pub version: Option<u32>,
}

/// Why a text is not a codespec reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodespecReferenceError {
    /// It has another form.
    #[error(
        "the codespec reference `{0}` is invalid: it should be in the form `<codespec_name>` or `<codespec_name>/versions/<version_number>`"
    )]
    Form(String),
    /// The version is not a valid number.
    #[error("the codespec version `{0}` is not a valid integer")]
    Version(String),
    /// The name is too long.
    #[error(transparent)]
    Name(CodespecNameError),
}

impl FromStr for CodespecReference {
    type Err = CodespecReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || CodespecReferenceError::Form(text.to_owned());
        let (name, version) = match text.split_once('/') {
            None => (text, None),
            Some((name, rest)) => (name, Some(rest.strip_prefix("versions/").ok_or_else(form)?)),
        };
        let name = name.parse().map_err(|error| match error {
            CodespecNameError::TooLong(_) => CodespecReferenceError::Name(error),
            _ => form(),
        })?;
        let Some(version) = version else { return Ok(CodespecReference { name, version: None }) };
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form());
        }
        let number = version.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| CodespecReferenceError::Version(version.to_owned()))?;
        Ok(CodespecReference { name, version: Some(number) })
    }
}

impl fmt::Display for CodespecReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => self.name.fmt(f),
            Some(version) => write!(f, "{}/versions/{version}", self.name),
        }
    }
}

/// The name of an input or output of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferName(Box<str>);

/// Why a text is not a buffer name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BufferNameError {
    /// It is empty.
    #[error("a buffer name cannot be empty")]
    Empty,
    /// It contains another character.
    #[error(
        "`{0}` is not a valid buffer name: buffer names must consist of lower case alphanumeric characters or `-`, and must start and end with an alphanumeric character"
    )]
    Character(String),
    /// It is too long.
    #[error("the buffer name has {0} characters: at most {most} fit in the name of a pipe", most = BufferName::LONGEST)]
    TooLong(usize),
}

impl BufferName {
    /// The maximum number of characters.
    pub const LONGEST: usize = 200;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the environment variable with the path of its pipe.
    pub fn variable(&self) -> String {
        format!("{}_PIPE", self.0.to_uppercase())
    }
}

impl FromStr for BufferName {
    type Err = BufferNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let edges = [text.bytes().next(), text.bytes().last()].into_iter().flatten();
        match text.len() {
            0 => Err(BufferNameError::Empty),
            _ if !text.bytes().all(|byte| inner(byte) || byte == b'-')
                || !edges.into_iter().all(inner) =>
            {
                Err(BufferNameError::Character(text.to_owned()))
            }
            many if many > Self::LONGEST => Err(BufferNameError::TooLong(many)),
            _ => Ok(BufferName(text.into())),
        }
    }
}

impl fmt::Display for BufferName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_of_codespecs() {
        for text in ["foo", "foo-1_2.9", ".", "..", "-", &"a".repeat(200)] {
            assert_eq!(text.parse::<CodespecName>().unwrap().as_str(), text);
        }
        for text in ["", "Foo", "foo bar", "a/b", "é", "a\n", &"a".repeat(201)] {
            assert!(text.parse::<CodespecName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn references_to_codespecs() {
        for text in ["hello", "hello/versions/22", "a/versions/2147483647"] {
            assert_eq!(text.parse::<CodespecReference>().unwrap().to_string(), text);
        }
        let told = |text: &str| text.parse::<CodespecReference>().unwrap_err().to_string();
        for text in [
            "Hello",
            "hello/22",
            "hello/versions/x",
            "hello/versions/",
            "hello/versions/-1",
            "",
            "/versions/1",
            "a/versions/1/2",
        ] {
            assert!(told(text).contains("is invalid"), "{text}");
        }
        for text in ["hello/versions/99999999999", "a/versions/2147483648"] {
            assert!(told(text).contains("is not a valid integer"), "{text}");
        }
    }

    #[test]
    fn names_of_buffers() {
        for text in ["input", "a", "my-buf", "0", "a--b"] {
            assert_eq!(text.parse::<BufferName>().unwrap().as_str(), text);
        }
        for text in ["FOO", "foo_bar", "-foo", "bar-", "", "INVALID_NAME", "-", "a.b", "ä"] {
            assert!(text.parse::<BufferName>().is_err(), "{text}");
        }
        assert_eq!("my-buf".parse::<BufferName>().unwrap().variable(), "MY-BUF_PIPE");
    }
}
