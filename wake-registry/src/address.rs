//! Addresses of registries.

use std::fmt;
use std::path::{Path, PathBuf};

use wake_store::ware::without_secrets;

/// The address of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `file:///PATH`, or `file:PATH` relative to where it is written: a directory.
    Dir(PathBuf),
    /// `https://URL` or `http://URL`: such a directory behind a file server, without a trailing `/`. It is read-only.
    Web(String),
    /// `oci://HOST[:PORT][/PREFIX]`: repositories of a container registry.
    Oci {
        /// The host, with its port if one is given.
        host: String,
        /// The prefix of its repository names, without a trailing `/`; may be empty.
        prefix: String,
    },
}

/// Why a text is not a registry address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// Its scheme is unknown.
    #[error(
        "`{0}` is not a registry address: expected one that begins with `file:`, `https://`, `http://` or `oci://`"
    )]
    Scheme(String),
    /// Nothing follows the scheme.
    #[error("`{0}` has nothing after its scheme")]
    Empty(String),
    /// It has a query or a fragment.
    #[error("`{0}` has a query or a fragment, which a registry address cannot have")]
    Query(String),
    /// What follows `oci://` is not a host with a valid repository prefix.
    #[error(
        "`{0}` is not of the form `oci://HOST/PREFIX`: the prefix consists of lower-case letters, digits, `.`, `-` and `_`, and no password is allowed"
    )]
    Repository(String),
}

impl Address {
    /// Parses an address; relative paths start at `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Address, ParseAddressError> {
        let shown = || without_secrets(text).into_owned();
        if let Some(path) = text.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(ParseAddressError::Empty(shown()));
            }
            return Ok(Address::Dir(dir(base, Path::new(path))));
        }
        if let Some(rest) = text.strip_prefix("oci://") {
            return match rest.trim_matches('/') {
                "" => Err(ParseAddressError::Empty(shown())),
                rest => oci(rest).ok_or_else(|| ParseAddressError::Repository(shown())),
            };
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

/// Resolves `path` from `base`, which contains no symbolic links, so a leading `..` can be resolved textually. A `..`
/// after a name stays, because that name may be a symbolic link.
fn dir(base: &Path, path: &Path) -> PathBuf {
    let (mut base, mut rest) = (base, path);
    while let Ok(behind) = rest.strip_prefix("..") {
        let Some(above) = base.parent() else { break };
        (base, rest) = (above, behind);
    }
    base.join(rest).components().collect()
}

/// Source: distribution-spec 1.1, "Pulling manifests", for repository names.
fn oci(rest: &str) -> Option<Address> {
    let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_of_host =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let is_part = |part: &str| {
        let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(ends)
            && part.ends_with(ends)
            && part.chars().all(|c| ends(c) || matches!(c, '.' | '-' | '_'))
    };
    let is_one = host.chars().all(is_of_host)
        && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && (prefix.is_empty() || prefix.split('/').all(is_part));
    let (host, prefix) = (host.to_ascii_lowercase(), prefix.to_owned());
    is_one.then_some(Address::Oci { host, prefix })
}

/// Shows the address without passwords.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Dir(path) => write!(f, "file://{}", path.display()),
            Address::Web(url) => f.write_str(&without_secrets(url)),
            Address::Oci { host, prefix } if prefix.is_empty() => write!(f, "oci://{host}"),
            Address::Oci { host, prefix } => write!(f, "oci://{host}/{prefix}"),
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
    fn directories_are_absolute_or_relative_to_their_file() {
        for (text, path) in [
            ("file:///r/a/", "/r/a"),
            ("file:r", "/ws/r"),
            ("file:./r", "/ws/r"),
            ("file:../r", "/r"),
            ("file:./r/../s", "/ws/r/../s"),
            ("file:../../r", "/../r"),
        ] {
            assert_eq!(parse(text), Ok(Address::Dir(path.into())), "{text}");
        }
    }

    #[test]
    fn the_trailing_slash_of_a_server_is_removed() {
        let address = parse("https://u:secret@example.org/wake/");
        assert_eq!(address, Ok(Address::Web("https://u:secret@example.org/wake".to_owned())));
        assert!(address.is_ok_and(|address| !address.to_string().contains("secret")));
    }

    #[test]
    fn registries_of_containers_are_hosts_with_a_prefix() {
        for (text, shown) in [
            ("oci://registry.example.org/acme/wake/", "oci://registry.example.org/acme/wake"),
            ("oci://127.0.0.1:5000", "oci://127.0.0.1:5000"),
            ("oci://[::1]:5000/a", "oci://[::1]:5000/a"),
        ] {
            assert_eq!(parse(text).map(|address| address.to_string()), Ok(shown.to_owned()));
        }
        for text in ["oci://u:secret@h/a", "oci://h/A", "oci://h/a//b", "oci://h/a?b", "oci://h/.."]
        {
            let refused = parse(text);
            assert!(matches!(refused, Err(ParseAddressError::Repository(_))), "{text}");
            assert!(!refused.is_err_and(|error| error.to_string().contains("secret")), "{text}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for text in ["", "acme", "/r", "ftp://h/x"] {
            assert!(matches!(parse(text), Err(ParseAddressError::Scheme(_))), "{text}");
        }
        for text in ["file:", "file://", "https://", "http:///", "oci:///"] {
            assert!(matches!(parse(text), Err(ParseAddressError::Empty(_))), "{text}");
        }
        for text in ["https://h/?x=1", "https://h/a#b"] {
            assert!(matches!(parse(text), Err(ParseAddressError::Query(_))), "{text}");
        }
    }
}
