//! Removes credentials from addresses before they are shown.

use std::borrow::Cow;
use std::fmt;

/// A secret text. It cannot be formatted, so it is not shown by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// Returns the text, to be sent to its recipient.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Returns `text` with every character of passwords, tokens and query values in its addresses replaced by `*`.
///
/// The text keeps its length in characters, so that columns in it stay aligned.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = (&rest[..at], &rest[at + 3..]);
        let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next();
        let end = after.find(ends_address).unwrap_or(after.len());
        out.push_str(&rest[..at + 3]);
        push_address(scheme.unwrap_or_default(), &after[..end], &mut out);
        rest = &after[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn ends_address(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '"' | '\'' | '`' | '<' | '>' | '\\')
}

fn push_address(scheme: &str, address: &str, out: &mut String) {
    let (place, query) = match address.split_once('?') {
        Some((place, query)) if scheme != "file" => (place, Some(query)),
        _ => (address, None),
    };
    let place = match credentials(place).filter(|_| !scheme.ends_with("file")) {
        Some(user) if is_bare_user(scheme, user) => place,
        Some(user) => {
            mask(user, out);
            &place[user.len()..]
        }
        None => place,
    };
    out.push_str(place);
    for (number, field) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        out.push(if number == 0 { '?' } else { '&' });
        match field.split_once('=') {
            Some((name, value)) => {
                out.push_str(name);
                out.push('=');
                mask(value, out);
            }
            None => out.push_str(field),
        }
    }
}

/// Returns the part of an address before the `@` that precedes the host.
fn credentials(place: &str) -> Option<&str> {
    let authority = place.split(['/', '#']).next().unwrap_or_default();
    let in_authority = authority.rfind('@');
    // A password may contain unescaped characters: then the port is not a number.
    let strange = || {
        let port = authority.rsplit_once(':')?.1;
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) || port.contains(']');
        if is_port { None } else { place.rfind('@') }
    };
    // In a truncated line, the end of the password and everything after it may be missing.
    let cut = || (authority == place).then(|| place.strip_suffix('…'))?.map(str::len);
    in_authority.or_else(strange).or_else(cut).map(|at| &place[..at])
}

/// Returns whether it is only an account name, as in `ssh://git@host`.
fn is_bare_user(scheme: &str, user: &str) -> bool {
    !user.contains(':') && (scheme.ends_with("ssh") || scheme == "git")
}

fn mask(secret: &str, out: &mut String) {
    out.extend(secret.chars().map(|_| '*'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n3_credentials_are_not_shown() {
        for (text, shown) in [
            ("https://me:secret@host:8/x", "https://*********@host:8/x"),
            ("at `https://token@host/x`: no", "at `https://*****@host/x`: no"),
            ("ca+https://a:b@host", "ca+https://***@host"),
            ("ssh://git@host/x", "ssh://git@host/x"),
            ("ssh://git:pw@host/x", "ssh://******@host/x"),
            ("https://me:p/w@host/x", "https://******@host/x"),
            ("https://me:p@w@host/x", "https://******@host/x"),
            ("https://h/x?sig=abc&v=1&w", "https://h/x?sig=***&v=*&w"),
            ("['http://a:b@h', 'http://c:d@h']", "['http://***@h', 'http://***@h']"),
            ("http://a:é@h", "http://***@h"),
            ("['http://a:secre…", "['http://*******…"),
            ("http://a:b@host…", "http://***@host…"),
        ] {
            assert_eq!(without_secrets(text), shown);
            assert_eq!(without_secrets(text).chars().count(), text.chars().count());
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in [
            "",
            "no address at all: me:pw@host",
            "https://host/a@b/c",
            "https://[::1]:80/a@b",
            "http://127.0.0.1:8000/x/y",
            "file:///tmp/a@b?c=d",
            "ca+file://./w@x",
            "git@host:path",
            "https://",
            "://",
            "a://b://c",
            "http://host/path…",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
