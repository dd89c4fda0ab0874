use std::fmt;
use std::str::FromStr;

use wake_store::ware::{AbsPath, ParseAbsPathError};

/// An absolute path as written in a document: `/task/` and `/task` are one place but two identities.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WrittenPath {
    written: String,
    place: AbsPath,
}

impl WrittenPath {
    /// Returns the text that is hashed.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Returns the place it leads to.
    pub fn place(&self) -> &AbsPath {
        &self.place
    }
}

impl From<AbsPath> for WrittenPath {
    fn from(place: AbsPath) -> Self {
        WrittenPath { written: place.to_string(), place }
    }
}

impl FromStr for WrittenPath {
    type Err = ParseAbsPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(WrittenPath { written: text.to_owned(), place: text.parse()? })
    }
}

impl fmt::Display for WrittenPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
