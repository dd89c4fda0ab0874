use super::{Json, Member, Source, Value};
use crate::DocumentError;
use std::str::FromStr;
use wake_model::nearest::nearest;
use wake_store::ware::MAX_OWNER;

/// The members of an object while they are read, so that none goes unread.
pub(crate) struct Fields<'a> {
    source: &'a Source<'a>,
    members: Vec<&'a Member>,
    at: usize,
    what: &'static str,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Begins to read `json`, which must be an object; `what` names it in messages.
    pub(crate) fn of(
        source: &'a Source<'a>,
        json: &'a Json,
        what: &'static str,
    ) -> Result<Self, DocumentError> {
        let members = source.object(json, what)?.iter().collect();
        Ok(Self { source, members, at: json.at, what, known: Vec::new() })
    }

    /// Takes the member `key`; one that is null counts as absent.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'a Json> {
        self.known.push(key);
        let at = self.members.iter().position(|member| member.key == key)?;
        let member = self.members.remove(at);
        (!matches!(member.value.value, Value::Null)).then_some(&member.value)
    }

    /// Takes the member that is called `key` or, in older documents, `other`.
    pub(crate) fn take_either(
        &mut self,
        key: &'static str,
        other: &'static str,
    ) -> Result<Option<&'a Json>, DocumentError> {
        match (self.take(key), self.take(other)) {
            (Some(_), Some(second)) => Err(self
                .source
                .error(second.at, format!("`{key}` and `{other}` are two names of one field"))),
            (one, two) => Ok(one.or(two)),
        }
    }

    /// Takes the member `key`, which must be there.
    pub(crate) fn need(&mut self, key: &'static str) -> Result<&'a Json, DocumentError> {
        let (at, what) = (self.at, self.what);
        self.take(key).ok_or_else(|| self.source.error(at, format!("{what} has no `{key}`")))
    }

    /// Ends the reading: what is left is unknown.
    pub(crate) fn finish(self) -> Result<(), DocumentError> {
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
    pub(crate) fn object<'a>(
        &self,
        json: &'a Json,
        what: &str,
    ) -> Result<&'a [Member], DocumentError> {
        match &json.value {
            Value::Object(members) => Ok(members),
            _ => Err(self.mismatch(json, what, "an object")),
        }
    }

    pub(crate) fn text<'a>(&self, json: &'a Json, what: &str) -> Result<&'a str, DocumentError> {
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

    pub(crate) fn bool(&self, json: &Json, what: &str) -> Result<bool, DocumentError> {
        match json.value {
            Value::Bool(value) => Ok(value),
            _ => Err(self.mismatch(json, what, "true or false")),
        }
    }

    /// A whole number that is not negative and fits 32 bits: an owner's number.
    pub(crate) fn id(&self, json: &Json, what: &str) -> Result<u32, DocumentError> {
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

    pub(crate) fn int(&self, json: &Json, what: &str) -> Result<i64, DocumentError> {
        match &json.value {
            Value::Number(text) if text.parse::<i64>().is_ok() => Ok(text.parse().unwrap_or(0)),
            _ => Err(self.mismatch(json, what, "a whole number")),
        }
    }

    pub(crate) fn texts(&self, json: &Json, what: &str) -> Result<Vec<String>, DocumentError> {
        match &json.value {
            Value::Array(items) => {
                items.iter().map(|item| self.text(item, what).map(str::to_owned)).collect()
            }
            _ => Err(self.mismatch(json, what, "a list of strings")),
        }
    }

    /// Reads a program's name or arguments.
    pub(crate) fn words(&self, json: &Json, what: &str) -> Result<Vec<String>, DocumentError> {
        let words = self.texts(json, what)?;
        words.iter().try_for_each(|word| self.without_nul(json, word))?;
        Ok(words)
    }

    /// Refuses what no program can be given.
    pub(crate) fn without_nul(&self, json: &Json, text: &str) -> Result<(), DocumentError> {
        if text.contains('\0') {
            let message = format!("`{}` holds a NUL character", text.escape_debug());
            return Err(self.error(json.at, message));
        }
        Ok(())
    }

    /// Reads a string that has a form of its own.
    pub(crate) fn parsed<T: FromStr>(&self, json: &Json, what: &str) -> Result<T, DocumentError>
    where
        T::Err: std::fmt::Display,
    {
        self.text(json, what)?
            .parse()
            .map_err(|error: T::Err| self.error(json.at, error.to_string()))
    }

    /// Reads a key that has a form of its own.
    pub(crate) fn parsed_key<T: FromStr>(&self, member: &Member) -> Result<T, DocumentError>
    where
        T::Err: std::fmt::Display,
    {
        member.key.parse().map_err(|error: T::Err| self.error(member.key_at, error.to_string()))
    }

    fn mismatch(&self, json: &Json, what: &str, expected: &str) -> DocumentError {
        self.error(json.at, format!("{what} is {}: expected {expected}", json.kind()))
    }
}
