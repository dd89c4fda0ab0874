//! Names of genomes, assets, tags and seek keys. Each is also a file name.

use std::fmt;
use std::str::FromStr;

/// The most bytes in a name: the file system's limit, less what file names add to it.
const LONGEST: usize = 180;

/// Why a text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {problem}")]
pub struct NameError {
    /// The text, with control characters escaped.
    pub text: String,
    /// The kind of name.
    pub what: &'static str,
    /// The problem.
    pub problem: String,
}

impl NameError {
    fn new(text: &str, what: &'static str, problem: impl Into<String>) -> NameError {
        NameError { text: text.escape_debug().to_string(), what, problem: problem.into() }
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), String> = $check;
                component(text).and_then(|()| check(text))
                    .map_err(|problem| NameError::new(text, $what, problem))?;
                Ok($name(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )*};
}

names! {
    /// The digest of a genome's sequences, its key in a registry. Source: `spec/assets.md`, "Digests".
    GenomeDigest: "genome digest", |text| {
        only(text, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'), "letters, digits, `-` and `_`")
    };
    /// How people refer to a genome: by an alias or its digest.
    GenomeName: "genome name", without_colon;
    /// The name of an asset.
    AssetName: "asset name", without_dot;
    /// The name of an asset class.
    ClassName: "asset class name", without_colon;
    /// The name of a recipe.
    RecipeName: "recipe name", without_colon;
    /// The name of a file or value of an asset.
    SeekKey: "seek key", without_colon;
    /// Distinguishes assets of one name: `[A-Za-z0-9._~-]+`.
    Tag: "tag", |text| {
        only(text, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~'), "letters, digits, `-`, `.`, `_` and `~`")
    };
}

/// Checks what holds for every name: it is one word, and a valid file name.
fn component(text: &str) -> Result<(), String> {
    match text {
        "" => return Err("it is empty".to_owned()),
        "." | ".." => return Err("it names a directory".to_owned()),
        _ if text.len() > LONGEST => return Err(format!("it is longer than {LONGEST} bytes")),
        _ => {}
    }
    let wrong = |c: &char| c.is_control() || c.is_whitespace() || *c == '/';
    match text.chars().find(wrong) {
        Some(c) => Err(format!("it contains {}", shown(c))),
        None => Ok(()),
    }
}

fn without_colon(text: &str) -> Result<(), String> {
    match text.contains(':') {
        true => Err("it contains `:`, which starts a tag".to_owned()),
        false => Ok(()),
    }
}

fn without_dot(text: &str) -> Result<(), String> {
    without_colon(text)?;
    match text.contains('.') {
        true => Err("it contains `.`, which starts a seek key".to_owned()),
        false => Ok(()),
    }
}

fn only(text: &str, fits: fn(char) -> bool, which: &str) -> Result<(), String> {
    match text.chars().find(|c| !fits(*c)) {
        Some(c) => Err(format!("it contains {}; only {which} are allowed", shown(c))),
        None => Ok(()),
    }
}

fn shown(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        c => format!("`{}`", c.escape_debug()),
    }
}

impl Tag {
    /// The tag of an asset for which no other is given.
    pub const DEFAULT: &'static str = "default";

    /// Checks whether the tag can be assigned to an asset. A tag that reads as a number cannot, because refgenie would parse it as one.
    pub fn check_new(&self) -> Result<(), NameError> {
        match is_number(&self.0) {
            false => Ok(()),
            true => {
                let problem = "refgenie would read it as a number";
                Err(NameError::new(&self.0, "new tag", problem))
            }
        }
    }
}

impl Default for Tag {
    fn default() -> Self {
        Tag(Tag::DEFAULT.into())
    }
}

impl From<GenomeDigest> for GenomeName {
    fn from(digest: GenomeDigest) -> Self {
        GenomeName(digest.0)
    }
}

/// Whether Python's `float`, which refgenie applies to tags, accepts it.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).to_ascii_lowercase();
    if matches!(&*unsigned, "nan" | "inf" | "infinity") {
        return true;
    }
    // One `_` may stand between two digits.
    let bytes = unsigned.as_bytes();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let parted = |at: usize| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
    let is_parted = (0..bytes.len()).all(|at| bytes[at] != b'_' || parted(at));
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    begins && is_parted && unsigned.replace('_', "").parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_one_component_of_a_path() {
        for text in ["", ".", "..", "a/b", "a b", "a\nb", "a\0", &"a".repeat(181)] {
            assert!(text.parse::<GenomeName>().is_err(), "{text:?}");
            assert!(text.parse::<AssetName>().is_err(), "{text:?}");
            assert!(text.parse::<Tag>().is_err(), "{text:?}");
        }
        assert_eq!("GRCh38.p13".parse::<GenomeName>().unwrap().as_str(), "GRCh38.p13");
        assert_eq!(
            "a b".parse::<Tag>().unwrap_err().to_string(),
            "`a b` is not a valid tag: it contains a space"
        );
    }

    #[test]
    fn no_name_contains_a_separator_of_registry_paths() {
        assert!("a.b".parse::<AssetName>().is_err() && "a:b".parse::<AssetName>().is_err());
        assert!("a:b".parse::<SeekKey>().is_err() && "a:b".parse::<GenomeName>().is_err());
        assert!("bowtie2_index".parse::<AssetName>().is_ok());
    }

    #[test]
    fn a_tag_that_python_parses_as_a_number_is_not_assigned() {
        for text in ["1.0", "1", "1e5", ".5", "5.", "nan", "Inf", "-infinity", "1_000", "0_1.5e-3"]
        {
            assert!(text.parse::<Tag>().unwrap().check_new().is_err(), "{text}");
        }
        for text in ["1.2.3", "v1", "1.0-a", "default", "1__0", "_1", "1_", "e5", "0x10", "~1", "."]
        {
            let fits = text.parse::<Tag>().and_then(|tag| tag.check_new());
            assert_eq!(fits.is_ok(), text != ".", "{text}");
        }
    }
}
