//! Names of genomes, assets, tags and seek keys, each of which is a name of a file as well.

use std::fmt;
use std::str::FromStr;

/// The most bytes that a name has: what a file system takes, less what file names add to it.
const LONGEST: usize = 180;

/// Why a text is not such a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: {problem}")]
pub struct NameError {
    /// The text, control characters escaped.
    pub text: String,
    /// What it was to be.
    pub what: &'static str,
    /// What is wrong with it.
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
    /// By which a genome is known in a registry: the digest of its sequences. Source: `spec/assets.md`, "Digests".
    GenomeDigest: "digest of a genome", |text| {
        only(text, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'), "letters, digits, `-` and `_`")
    };
    /// What people call a genome: an alias of it, or its digest.
    GenomeName: "name of a genome", without_colon;
    /// The name of an asset.
    AssetName: "name of an asset", without_dot;
    /// The name of a class of assets.
    ClassName: "name of an asset class", without_colon;
    /// The name of a recipe.
    RecipeName: "name of a recipe", without_colon;
    /// By which one part of an asset is found.
    SeekKey: "seek key", without_colon;
    /// Which of several assets of one name: `[A-Za-z0-9._~-]+`.
    Tag: "tag", |text| {
        only(text, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~'), "letters, digits, `-`, `.`, `_` and `~`")
    };
}

/// What every one of them is: a name of a file, and one word.
fn component(text: &str) -> Result<(), String> {
    match text {
        "" => return Err("it is empty".to_owned()),
        "." | ".." => return Err("it names a directory".to_owned()),
        _ if text.len() > LONGEST => return Err(format!("it is longer than {LONGEST} bytes")),
        _ => {}
    }
    let wrong = |c: &char| c.is_control() || c.is_whitespace() || *c == '/';
    match text.chars().find(wrong) {
        Some(c) => Err(format!("it holds {}", shown(c))),
        None => Ok(()),
    }
}

fn without_colon(text: &str) -> Result<(), String> {
    match text.contains(':') {
        true => Err("it holds `:`, which begins a tag".to_owned()),
        false => Ok(()),
    }
}

fn without_dot(text: &str) -> Result<(), String> {
    without_colon(text)?;
    match text.contains('.') {
        true => Err("it holds `.`, which begins a seek key".to_owned()),
        false => Ok(()),
    }
}

fn only(text: &str, fits: fn(char) -> bool, which: &str) -> Result<(), String> {
    match text.chars().find(|c| !fits(*c)) {
        Some(c) => Err(format!("it holds {}, and has {which} only", shown(c))),
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
    /// What an asset is tagged with where nothing else is said.
    pub const DEFAULT: &'static str = "default";

    /// Whether it can be given to an asset: what reads as a number cannot, because refgenie would take it for one.
    pub fn check_new(&self) -> Result<(), NameError> {
        match is_number(&self.0) {
            false => Ok(()),
            true => {
                let problem = "it reads as a number, and refgenie would look for that";
                Err(NameError::new(&self.0, "tag to give", problem))
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

/// Whether Python's `float` takes it, to which refgenie puts a tag.
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
            "`a b` is no tag: it holds a space"
        );
    }

    #[test]
    fn what_parts_a_registry_path_stands_in_no_part_of_it() {
        assert!("a.b".parse::<AssetName>().is_err() && "a:b".parse::<AssetName>().is_err());
        assert!("a:b".parse::<SeekKey>().is_err() && "a:b".parse::<GenomeName>().is_err());
        assert!("bowtie2_index".parse::<AssetName>().is_ok());
    }

    #[test]
    fn a_tag_that_python_takes_for_a_number_is_not_given() {
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
