use std::fmt;

use crate::spec::first::FirstSpec;
use crate::version::{Range, Release};

/// An image and a range of its versions, in the grammar of the second generation.
#[derive(Clone, Debug)]
pub struct SecondSpec {
    /// The image.
    pub name: String,
    /// Its versions.
    pub range: Range<Release>,
}

impl SecondSpec {
    /// Parses a target; operators of the first generation are accepted as well. Returns `None` for a colon without a
    /// version.
    pub fn target(text: &str) -> Option<Self> {
        if let FirstSpec { name, range } = FirstSpec::parse(text)
            && !matches!(range, Range::Any)
            && !text.contains(':')
        {
            return Some(Self { name, range: range.map(|tag| Release::new(&tag.to_string())) });
        }
        bounds(text, &|_| true)?
    }

    /// Parses a part of a condition, where versions consist of digits and dots. Returns `None` if it is not the spec
    /// of an image, and `Some(None)` for a colon without a version.
    pub(super) fn in_condition(text: &str) -> Option<Option<Self>> {
        bounds(text, &|c| c.is_ascii_digit() || c == '.')
    }
}

/// `name`, `name@v`, `name@v:`, `name@:v`, `name:v`, `name@v:w`.
fn bounds(text: &str, allowed: &dyn Fn(char) -> bool) -> Option<Option<SecondSpec>> {
    let end = text.find(['@', ':']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.strip_prefix('@').unwrap_or(rest);
    if name.is_empty() || name.contains(['=', '^', '!']) || text.ends_with('@') {
        return None;
    }
    let version = |text: &str| text.chars().all(allowed).then(|| Release::new(text));
    let spec = |range| Some(Some(SecondSpec { name: name.to_owned(), range }));
    match rest.split_once(':') {
        None if end == text.len() => spec(Range::Any),
        None => spec(Range::Exactly(version(rest)?)),
        Some(("", "")) => Some(None),
        Some((low, "")) => spec(Range::AtLeast(version(low)?)),
        Some(("", high)) => spec(Range::AtMost(version(high)?)),
        Some((low, high)) => spec(Range::Between(version(low)?, version(high)?)),
    }
}

impl<V> Range<V> {
    /// The same range with mapped versions.
    pub fn map<W>(&self, to: impl Fn(&V) -> W) -> Range<W> {
        match self {
            Range::Any => Range::Any,
            Range::Exactly(version) => Range::Exactly(to(version)),
            Range::AtLeast(version) => Range::AtLeast(to(version)),
            Range::AtMost(version) => Range::AtMost(to(version)),
            Range::Between(low, high) => Range::Between(to(low), to(high)),
        }
    }

    /// The versions it mentions.
    pub fn bounds(&self) -> Vec<&V> {
        match self {
            Range::Any => Vec::new(),
            Range::Exactly(one) | Range::AtLeast(one) | Range::AtMost(one) => vec![one],
            Range::Between(low, high) => vec![low, high],
        }
    }
}

impl fmt::Display for SecondSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.range {
            Range::Any => Ok(()),
            Range::Exactly(version) => write!(f, "@{version}"),
            Range::AtLeast(version) => write!(f, "@{version}:"),
            Range::AtMost(version) => write!(f, "@:{version}"),
            Range::Between(low, high) => write!(f, "@{low}:{high}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_both_generations_are_read() {
        for (text, read) in [
            ("gcc", "gcc"),
            ("gcc@12", "gcc@12"),
            ("gcc@12:", "gcc@12:"),
            ("gcc@:12", "gcc@:12"),
            ("gcc:12", "gcc@:12"),
            ("gcc@11:12", "gcc@11:12"),
            ("gcc@12-rc1", "gcc@12-rc1"),
            ("gcc@=12", "gcc@12"),
            ("gcc@^12", "gcc@12:"),
            ("gcc@11%12", "gcc@11:12"),
        ] {
            assert_eq!(SecondSpec::target(text).unwrap().to_string(), read, "{text}");
        }
        for text in ["gcc@:", "gcc:", "gcc@", "@12", ""] {
            assert!(SecondSpec::target(text).is_none(), "{text}");
        }
    }
}
