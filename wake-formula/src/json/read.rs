use std::str::FromStr;

use wake_model::nearest::nearest;
use wake_store::ware::{MAX_OWNER, PackType};

use super::{Json, Member, Source, Value};
use crate::DocumentError;

/// The result of reading.
pub(crate) type Read<T> = Result<T, DocumentError>;

/// The members of an object being read, which ensures that none is ignored.
pub(crate) struct Fields<'a> {
    source: &'a Source<'a>,
    members: Vec<&'a Member>,
    at: usize,
    what: String,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Begins reading `json`, which must be an object; `what` names it in messages.
    pub(crate) fn of(source: &'a Source<'a>, json: &'a Json, what: &str) -> Read<Self> {
        let members = source.object(json, what)?.iter().collect();
        Ok(Self { source, members, at: json.at, what: what.to_owned(), known: Vec::new() })
    }

    /// Takes the member `key`; null counts as absent.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'a Json> {
        self.known.push(key);
        let at = self.members.iter().position(|member| member.key == key)?;
        let member = self.members.remove(at);
        (!matches!(member.value.value, Value::Null)).then_some(&member.value)
    }

    /// Takes the member `key`, called `other` in older documents.
    pub(crate) fn take_either(
        &mut self,
        key: &'static str,
        other: &'static str,
    ) -> Read<Option<&'a Json>> {
        match (self.take(key), self.take(other)) {
            (Some(_), Some(second)) => Err(self
                .source
                .error(second.at, format!("`{key}` and `{other}` are two names of one field"))),
            (one, two) => Ok(one.or(two)),
        }
    }

    /// Takes the member `key`, which must exist.
    pub(crate) fn need(&mut self, key: &'static str) -> Read<&'a Json> {
        self.take(key)
            .ok_or_else(|| self.source.error(self.at, format!("{} has no `{key}`", self.what)))
    }

    /// Reads the member `key`, which must exist; `read` gets its name for messages.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'a Source<'a>, &'a Json, &str) -> Read<T>,
    ) -> Read<T> {
        read(self.source, self.need(key)?, &format!("`{key}`"))
    }

    /// The same for a member that may be absent.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'a Source<'a>, &'a Json, &str) -> Read<T>,
    ) -> Read<Option<T>> {
        self.take(key).map(|json| read(self.source, json, &format!("`{key}`"))).transpose()
    }

    /// Ends reading: remaining members are unknown.
    pub(crate) fn finish(self) -> Read<()> {
        let Some(member) = self.members.first() else { return Ok(()) };
        let message = format!("unknown field `{}` in {}", member.key, self.what);
        let hint = match nearest(&member.key, self.known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{} has the fields `{}`", self.what, self.known.join("`, `")),
        };
        Err(self.source.error_with_hint(member.key_at, message, hint))
    }
}

impl Source<'_> {
    pub(crate) fn object<'a>(&self, json: &'a Json, what: &str) -> Read<&'a [Member]> {
        match &json.value {
            Value::Object(members) => Ok(members),
            _ => Err(self.mismatch(json, what, "an object")),
        }
    }

    pub(crate) fn text<'a>(&self, json: &'a Json, what: &str) -> Read<&'a str> {
        match &json.value {
            Value::Text(text) => Ok(text),
            Value::Number(number) => {
                let message = format!("{what} is a number: expected a string");
                let hint = format!("write `\"{number}\"`");
                Err(self.error_with_hint(json.at, message, hint))
            }
            _ => Err(self.mismatch(json, what, "a string")),
        }
    }

    pub(crate) fn bool(&self, json: &Json, what: &str) -> Read<bool> {
        match json.value {
            Value::Bool(value) => Ok(value),
            _ => Err(self.mismatch(json, what, "true or false")),
        }
    }

    /// Reads a non-negative whole number of 32 bits: the number of an owner.
    pub(crate) fn id(&self, json: &Json, what: &str) -> Read<u32> {
        match &json.value {
            Value::Number(text) => {
                text.parse().ok().filter(|id| *id <= MAX_OWNER).ok_or_else(|| {
                    self.error(
                        json.at,
                        format!(
                            "{what} cannot be {text}: expected a whole number up to {MAX_OWNER}"
                        ),
                    )
                })
            }
            _ => Err(self.mismatch(json, what, "a number")),
        }
    }

    pub(crate) fn int(&self, json: &Json, what: &str) -> Read<i64> {
        match &json.value {
            Value::Number(text) if text.parse::<i64>().is_ok() => Ok(text.parse().unwrap_or(0)),
            _ => Err(self.mismatch(json, what, "a whole number")),
        }
    }

    pub(crate) fn texts(&self, json: &Json, what: &str) -> Read<Vec<String>> {
        match &json.value {
            Value::Array(items) => {
                items.iter().map(|item| self.text(item, what).map(str::to_owned)).collect()
            }
            _ => Err(self.mismatch(json, what, "a list of strings")),
        }
    }

    /// Reads the pack type of an output.
    pub(crate) fn packtype(&self, json: &Json, what: &str) -> Read<PackType> {
        match self.parsed(json, what)? {
            packtype @ (PackType::Tar | PackType::Tree | PackType::Zip) => Ok(packtype),
            packtype => {
                let message = format!(
                    "pack type `{packtype}` cannot be packed: expected `tar`, `tree` or `zip`"
                );
                Err(self.error(json.at, message))
            }
        }
    }

    /// Reads a program with its arguments.
    pub(crate) fn words(&self, json: &Json, what: &str) -> Read<Vec<String>> {
        let words = self.texts(json, what)?;
        words.iter().try_for_each(|word| self.without_nul(json, word))?;
        Ok(words)
    }

    /// Rejects text that cannot be passed to a program.
    pub(crate) fn without_nul(&self, json: &Json, text: &str) -> Read<()> {
        if text.contains('\0') {
            let message = format!("`{}` contains a NUL character", text.escape_debug());
            return Err(self.error(json.at, message));
        }
        Ok(())
    }

    /// Reads a string in a format of its own.
    pub(crate) fn parsed<T: FromStr>(&self, json: &Json, what: &str) -> Read<T>
    where
        T::Err: std::fmt::Display,
    {
        self.text(json, what)?
            .parse()
            .map_err(|error: T::Err| self.error(json.at, error.to_string()))
    }

    /// Reads a key in a format of its own.
    pub(crate) fn parsed_key<T: FromStr>(&self, member: &Member) -> Read<T>
    where
        T::Err: std::fmt::Display,
    {
        member.key.parse().map_err(|error: T::Err| self.error(member.key_at, error.to_string()))
    }

    fn mismatch(&self, json: &Json, what: &str, expected: &str) -> DocumentError {
        self.error(json.at, format!("{what} is {}: expected {expected}", json.kind()))
    }
}
