//! References as users write them.

use std::fmt;
use std::str::FromStr;

use crate::path::{PathError, RelPath};

/// A parsed reference: its start, and the rest of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reflike {
    /// A file of the package that has been reached.
    File(RelPath),
    /// A value in the inputs, by keys.
    Input(Vec<String>),
    /// A value in the outputs, by keys.
    Output(Vec<String>),
    /// The package with this key, and a reference inside it.
    Pkg(String, Option<Box<Reflike>>),
    /// The module with this key, and a reference inside it.
    Module(String, Option<Box<Reflike>>),
}

/// Why a string or a list is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReflikeError {
    /// Its first word does not start a reference.
    #[error(
        "`{0}` does not start a reference: expected `./`, `input`, `output`, `pkg` or `module`"
    )]
    Head(String),
    /// It ends where a key must follow.
    #[error("a key is missing after `{0}`")]
    MissingKey(String),
    /// Its file path is invalid.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// The words that start a reference, for suggestions.
pub const HEADS: [&str; 8] =
    ["input", "inputs", "output", "outputs", "pkg", "pkgs", "module", "modules"];

impl Reflike {
    /// Parses the parts of a list; parts are not split.
    pub fn from_parts<S: AsRef<str>>(parts: &[S]) -> Result<Self, ReflikeError> {
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        parse(&parts)
    }
}

impl FromStr for Reflike {
    type Err = ReflikeError;

    /// Parses a string: parts are separated by `.`; `./` starts a path that extends to the end.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(&split(text))
    }
}

fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        if rest.starts_with("./") {
            parts.push(rest);
            return parts;
        }
        match rest.find('.') {
            // `pkg.key./path`: the dot belongs to the path that starts here.
            Some(dot) if rest[dot..].starts_with("./") => {
                parts.push(&rest[..dot]);
                rest = &rest[dot..];
            }
            Some(dot) => {
                parts.push(&rest[..dot]);
                rest = &rest[dot + 1..];
            }
            None => {
                parts.push(rest);
                return parts;
            }
        }
    }
}

fn parse(parts: &[&str]) -> Result<Reflike, ReflikeError> {
    let Some((&head, rest)) = parts.split_first() else {
        return Err(ReflikeError::Head(String::new()));
    };
    let key = || match rest.split_first() {
        Some((key, onward)) if !key.is_empty() => Ok(((*key).to_owned(), onward)),
        _ => Err(ReflikeError::MissingKey(head.to_owned())),
    };
    let keys = || -> Result<Vec<String>, ReflikeError> {
        key()?;
        Ok(rest.iter().map(|part| (*part).to_owned()).collect())
    };
    let onward = |parts: &[&str]| -> Result<Option<Box<Reflike>>, ReflikeError> {
        if parts.is_empty() { Ok(None) } else { Ok(Some(Box::new(parse(parts)?))) }
    };
    match head {
        "input" | "inputs" => Ok(Reflike::Input(keys()?)),
        "output" | "outputs" => Ok(Reflike::Output(keys()?)),
        "pkg" | "pkgs" => {
            let (name, rest) = key()?;
            Ok(Reflike::Pkg(name, onward(rest)?))
        }
        "module" | "modules" => {
            let (name, rest) = key()?;
            Ok(Reflike::Module(name, onward(rest)?))
        }
        path if path.starts_with("./") && rest.is_empty() => Ok(Reflike::File(path.parse()?)),
        other => Err(ReflikeError::Head(other.to_owned())),
    }
}

impl fmt::Display for Reflike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |f: &mut fmt::Formatter<'_>, head: &str, keys: &[String]| {
            f.write_str(head)?;
            keys.iter().try_for_each(|key| write!(f, ".{key}"))
        };
        let inside =
            |f: &mut fmt::Formatter<'_>, head: &str, key: &str, onward: &Option<Box<Reflike>>| {
                write!(f, "{head}.{key}")?;
                match onward.as_deref() {
                    None => Ok(()),
                    Some(file @ Reflike::File(_)) => write!(f, "{file}"),
                    Some(more) => write!(f, ".{more}"),
                }
            };
        match self {
            Reflike::File(path) => f.write_str(&path.dotted()),
            Reflike::Input(rest) => keys(f, "inputs", rest),
            Reflike::Output(rest) => keys(f, "outputs", rest),
            Reflike::Pkg(key, onward) => inside(f, "pkgs", key, onward),
            Reflike::Module(key, onward) => inside(f, "modules", key, onward),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str, expect: &str) {
        let reflike: Reflike = text.parse().unwrap();
        assert_eq!(reflike.to_string(), expect);
        assert_eq!(expect.parse::<Reflike>().unwrap(), reflike);
    }

    #[test]
    fn every_form_of_the_grammar() {
        check("./bin/bash", "./bin/bash");
        check("./a.b/./c.d", "./a.b/c.d");
        check("input.foo", "inputs.foo");
        check("outputs.lib.0", "outputs.lib.0");
        check("pkg.other", "pkgs.other");
        check("pkg.other./data/x.csv", "pkgs.other./data/x.csv");
        check("pkg.other.input.bar", "pkgs.other.inputs.bar");
        check("pkgs.a.pkgs.b.inputs.c", "pkgs.a.pkgs.b.inputs.c");
        check("modules.otherModule.output.baz", "modules.otherModule.outputs.baz");
    }

    #[test]
    fn a_list_is_not_split() {
        let reflike = Reflike::from_parts(&["input", "a.b.c", "f"]).unwrap();
        assert_eq!(reflike, Reflike::Input(vec!["a.b.c".into(), "f".into()]));
        let inside = Reflike::from_parts(&["pkg", "x", "./f"]).unwrap();
        assert_eq!(inside, "pkg.x./f".parse().unwrap());
    }

    #[test]
    fn invalid_references_are_refused() {
        assert!(matches!("foo.bar".parse::<Reflike>(), Err(ReflikeError::Head { .. })));
        assert!(matches!("pkg".parse::<Reflike>(), Err(ReflikeError::MissingKey { .. })));
        assert!(matches!("input.".parse::<Reflike>(), Err(ReflikeError::MissingKey { .. })));
        assert!(matches!("/bin/sh".parse::<Reflike>(), Err(ReflikeError::Head { .. })));
        assert!(matches!("./../x".parse::<Reflike>(), Err(ReflikeError::Path(_))));
    }
}
