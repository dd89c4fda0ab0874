//! Where a registry is.

use std::fmt;
use std::path::{Path, PathBuf};

use wake_store::ware::without_secrets;

/// The address of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `file:///PATH`, or `file:PATH` from where it is written: a directory.
    Dir(PathBuf),
    /// `https://URL` or `http://URL`: the same behind a server of files, without a `/` at its end. It can only be read.
    Web(String),
}

/// Why a text is no address of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// It begins otherwise than addresses do.
    #[error("`{0}` is no address of a registry: it begins with `file:`, `https://` or `http://`")]
    Scheme(String),
    /// Nothing follows the scheme.
    #[error("`{0}` names no place")]
    Empty(String),
    /// What follows names no directory of files.
    #[error("`{0}` has a query or a fragment, where files have neither")]
    Query(String),
}

impl Address {
    /// Reads an address; paths begin at `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Address, ParseAddressError> {
        let shown = || without_secrets(text).into_owned();
        if let Some(path) = text.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(ParseAddressError::Empty(shown()));
            }
            return Ok(Address::Dir(base.join(path).components().collect()));
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match rest {
            None => Err(ParseAddressError::Scheme(shown())),
            Some(rest) if rest.trim_start_matches('/').is_empty() => {
                Err(ParseAddressError::Empty(shown()))
            }
            Some(rest) if rest.contains(['?', '#']) => Err(ParseAddressError::Query(shown())),
            Some(_) => Ok(Address::Web(text.trim_end_matches('/').to_owned())),
        }
    }
}

/// As it may be shown: without passwords.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Dir(path) => write!(f, "file://{}", path.display()),
            Address::Web(url) => f.write_str(&without_secrets(url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, ParseAddressError> {
        Address::parse(text, Path::new("/ws"))
    }

    #[test]
    fn directories_are_named_whole_or_from_where_they_are_written() {
        for (text, path) in [
            ("file:///r/a/", "/r/a"),
            ("file:r", "/ws/r"),
            ("file:./r", "/ws/r"),
            ("file:../r", "/ws/../r"),
        ] {
            assert_eq!(parse(text), Ok(Address::Dir(path.into())), "{text}");
        }
    }

    #[test]
    fn servers_are_named_without_their_last_slash() {
        let address = parse("https://u:secret@example.org/wake/");
        assert_eq!(address, Ok(Address::Web("https://u:secret@example.org/wake".to_owned())));
        assert!(address.is_ok_and(|address| !address.to_string().contains("secret")));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "acme", "/r", "oci://r", "ftp://h/x"] {
            assert!(matches!(parse(text), Err(ParseAddressError::Scheme(_))), "{text}");
        }
        for text in ["file:", "file://", "https://", "http:///"] {
            assert!(matches!(parse(text), Err(ParseAddressError::Empty(_))), "{text}");
        }
        for text in ["https://h/?x=1", "https://h/a#b"] {
            assert!(matches!(parse(text), Err(ParseAddressError::Query(_))), "{text}");
        }
    }
}
