use std::fmt;

use crate::version::{Range, Tag};

/// An image and a range of its versions, in the grammar of the first generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSpec {
    /// The image.
    pub name: String,
    /// Its versions.
    pub range: Range<Tag>,
}

impl FirstSpec {
    /// Parses `name`, `name@=v`, `name@^v` (at least), `name@_v` (at most) or `name@lo%hi`. The last operator in the
    /// text counts; text before an operator other than `%` is ignored; a text without an operator is a name as a
    /// whole.
    pub fn parse(text: &str) -> Self {
        let ats = text.match_indices('@').map(|(at, _)| at).rev();
        let operator = |at: usize| {
            let rest = &text[at + 1..];
            let operator = rest.rfind(['%', '^', '_', '='])?;
            Some((
                &text[..at],
                &rest[..operator],
                &rest[operator..=operator],
                &rest[operator + 1..],
            ))
        };
        let Some((name, left, operator, right)) = ats.into_iter().find_map(operator) else {
            return Self { name: text.to_owned(), range: Range::Any };
        };
        let version = Tag::new(right);
        let range = match operator {
            "=" => Range::Exactly(version),
            "^" => Range::AtLeast(version),
            "_" => Range::AtMost(version),
            _ => Range::Between(Tag::new(left), version),
        };
        Self { name: name.to_owned(), range }
    }
}

impl fmt::Display for FirstSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.range {
            Range::Any => Ok(()),
            Range::Exactly(version) => write!(f, "@={version}"),
            Range::AtLeast(version) => write!(f, "@^{version}"),
            Range::AtMost(version) => write!(f, "@_{version}"),
            Range::Between(low, high) => write!(f, "@{low}%{high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_and_range(text: &str) -> (String, Range<Tag>) {
        let spec = FirstSpec::parse(text);
        (spec.name, spec.range)
    }

    #[test]
    fn each_operator_is_read() {
        let tag = Tag::new;
        for (text, name, range) in [
            ("gcc", "gcc", Range::Any),
            ("gcc@=11.5", "gcc", Range::Exactly(tag("11.5"))),
            ("gcc@^11.5", "gcc", Range::AtLeast(tag("11.5"))),
            ("gcc@_11.5", "gcc", Range::AtMost(tag("11.5"))),
            ("gcc@11.2%11.8", "gcc", Range::Between(tag("11.2"), tag("11.8"))),
            // The last operator counts, even if it was not meant as one.
            ("gcc@_1_2", "gcc", Range::AtMost(tag("2"))),
            ("gcc@=1.0-rc_1", "gcc", Range::AtMost(tag("1"))),
            // Without an operator the text is a name that no image has.
            ("gcc@11.5", "gcc@11.5", Range::Any),
            ("a@b@=1", "a@b", Range::Exactly(tag("1"))),
            ("a@=1@b", "a", Range::Exactly(tag("1@b"))),
        ] {
            assert_eq!(name_and_range(text), (name.to_owned(), range), "{text}");
        }
    }

    #[test]
    fn ranges_include_their_ends_and_stop_at_a_longer_tag() {
        let range = FirstSpec::parse("gcc@11.2%11.8").range;
        let inside = |tag: &str| range.contains(&Tag::new(tag));
        assert!(inside("11.2") && inside("11.8") && inside("11.2.0"));
        assert!(!inside("11.8.1") && !inside("11.1.9"));
    }
}
