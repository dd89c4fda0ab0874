//! Names and properties of buffers: ids, tags, lifetimes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a buffer: sixteen random bytes in 26 characters of base 32.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BufferId(Box<str>);

/// The error for a string that is not a buffer id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a buffer id: expected 26 characters of `a` to `z` and `2` to `7`")]
pub struct ParseBufferIdError(String);

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl BufferId {
    /// The number of characters of an id.
    pub const LEN: usize = 26;

    /// Returns the id made from sixteen bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let mut number = u128::from_be_bytes(bytes);
        // Base 32 starts at the most significant bit, and the last character has two padding bits.
        let mut text = [0; Self::LEN];
        text[Self::LEN - 1] = BASE32[((number & 7) << 2) as usize];
        number >>= 3;
        for place in text[..Self::LEN - 1].iter_mut().rev() {
            *place = BASE32[(number & 31) as usize];
            number >>= 5;
        }
        BufferId(text.iter().map(|&byte| char::from(byte)).collect())
    }

    /// Returns the id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BufferId {
    type Err = ParseBufferIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.len() == Self::LEN && text.bytes().all(|byte| BASE32.contains(&byte)) {
            true => Ok(BufferId(text.into())),
            false => Err(ParseBufferIdError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for BufferId {
    type Error = ParseBufferIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BufferId> for String {
    fn from(id: BufferId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for BufferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Key-value pairs by which people find buffers and jobs: at most [`Tags::MOST`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Tags(BTreeMap<String, String>);

/// Why a tag is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// There are too many tags.
    #[error("no more than {} tags can be set", Tags::MOST)]
    TooMany,
    /// The key is invalid.
    #[error("`{0}` is not a valid tag key: up to {most} letters, digits, `-`, `_` and `.`", most = Tags::LONGEST_KEY)]
    Key(String),
    /// The value is invalid.
    #[error("`{0}` is not a valid tag value: up to {most} letters, digits, `-`, `_` and `.`", most = Tags::LONGEST_VALUE)]
    Value(String),
}

impl Tags {
    /// The maximum number of tags.
    pub const MOST: usize = 100;
    /// The maximum length of a key, in characters.
    pub const LONGEST_KEY: usize = 128;
    /// The maximum length of a value, in characters.
    pub const LONGEST_VALUE: usize = 256;

    /// Sets a tag, replacing an existing value of the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), TagError> {
        let fits = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if key.is_empty() || key.len() > Self::LONGEST_KEY || !fits(key) {
            return Err(TagError::Key(key.to_owned()));
        }
        if value.len() > Self::LONGEST_VALUE || !fits(value) {
            return Err(TagError::Value(value.to_owned()));
        }
        if self.0.len() == Self::MOST && !self.0.contains_key(key) {
            return Err(TagError::TooMany);
        }
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Removes a tag.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Iterates over all tags, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each of `others` is contained with the same value.
    pub fn has_all(&self, others: &Tags) -> bool {
        others.iter().all(|(key, value)| self.get(key) == Some(value))
    }
}

impl TryFrom<BTreeMap<String, String>> for Tags {
    type Error = TagError;

    fn try_from(all: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        let mut tags = Tags::default();
        all.iter().try_for_each(|(key, value)| tags.set(key, value))?;
        Ok(tags)
    }
}

impl From<Tags> for BTreeMap<String, String> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

/// A lifetime: `D[.HH[:MM[:SS]]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime {
    /// The number of seconds.
    pub seconds: u64,
}

/// The error for a string that is not a lifetime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid lifetime: expected `D[.HH[:MM[:SS]]]`, such as `7` or `0.12:30`")]
pub struct ParseLifetimeError(String);

impl FromStr for Lifetime {
    type Err = ParseLifetimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseLifetimeError(text.to_owned());
        let (days, clock) = match text.split_once('.') {
            Some((days, clock)) => (days, Some(clock)),
            None => (text, None),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if days.is_empty() || days.len() > 7 || !digits(days) {
            return Err(wrong());
        }
        let mut seconds = days.parse::<u64>().map_err(|_| wrong())? * 86_400;
        let mut scales = [(3600, 24), (60, 60), (1, 60)].into_iter();
        for part in clock.into_iter().flat_map(|clock| clock.split(':')) {
            let (scale, below) = scales.next().ok_or_else(wrong)?;
            let number = Some(part).filter(|part| part.len() == 2 && digits(part));
            let number = number.and_then(|part| part.parse::<u64>().ok());
            seconds += number.filter(|&number| number < below).ok_or_else(wrong)? * scale;
        }
        Ok(Lifetime { seconds })
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.seconds / 86_400, self.seconds % 86_400);
        write!(f, "{days}.{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_id_is_the_base_32_of_its_bytes() {
        // From RFC 4648, section 10, and the output of `base32` in coreutils.
        let id = |bytes: &[u8; 16]| BufferId::from_bytes(*bytes).to_string();
        assert_eq!(id(b"foobarfoobarfoob"), "mzxw6ytbojtg633cmfzgm33pmi");
        assert_eq!(id(&[0; 16]), "a".repeat(26));
        assert_eq!(id(&[255; 16]), format!("{}4", "7".repeat(25)));
        assert_eq!(id(&[255; 16]).parse::<BufferId>().unwrap().as_str().len(), 26);
        for wrong in
            ["", "lopoahtz7chepdpmgvunuvtqk", "lopoahtz7chepdpmgvunuvtqk1", "../../etc/passwd"]
        {
            assert!(wrong.parse::<BufferId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tags_have_limits() {
        let mut tags = Tags::default();
        for number in 0..Tags::MOST {
            tags.set(&format!("k{number}"), "").unwrap();
        }
        tags.set("k0", "again").unwrap();
        assert_eq!(tags.set("more", ""), Err(TagError::TooMany));
        let mut tags = Tags::default();
        tags.set(&"k".repeat(128), &"v".repeat(256)).unwrap();
        for (key, value) in [
            ("", "v"),
            ("a b", "v"),
            ("k", "v w"),
            ("k", "é"),
            (&"k".repeat(129), ""),
            ("k", &"v".repeat(257)),
        ] {
            assert!(tags.set(key, value).is_err(), "{key} {value}");
        }
    }

    #[test]
    fn lifetimes_are_days_and_a_clock() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("7", Some(604_800)),
            ("1.12", Some(129_600)),
            ("0.12:30", Some(45_000)),
            ("2.23:59:59", Some(259_199)),
            ("", None),
            ("1.", None),
            ("1.24", None),
            ("1.2:30", None),
            ("1.02:60", None),
            ("1.02:30:60", None),
            ("1.02:30:00:00", None),
            ("-1", None),
            ("1h", None),
            ("99999999", None),
        ] {
            let parsed = text.parse::<Lifetime>().ok().map(|lifetime| lifetime.seconds);
            assert_eq!(parsed, seconds, "{text}");
        }
    }
}
