use crate::ware::route::Route;
use crate::ware::secrets::without_secrets;
use std::fmt;
use std::path::{Path, PathBuf};
use wake_model::ware::PackType;

/// The address of a warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warehouse {
    /// `file://PATH`: one packed ware.
    File(PathBuf),
    /// `ca+file://DIR`: wares by hash.
    CaFile(PathBuf),
    /// `http(s)://URL`: one packed ware, read-only.
    Http(String, Route),
    /// `ca+http(s)://URL`: wares by hash, read-only. Stored without the `ca+`.
    CaHttp(String, Route),
    /// A git repository, by URL or path, only for `git` wares.
    Git(String, Route),
}

impl Warehouse {
    /// Parses an address for wares of `packtype`, with `route` for network access. Relative paths such as `file://./x`
    /// start at `base`.
    pub fn parse(
        text: &str,
        packtype: PackType,
        base: &Path,
        route: &Route,
    ) -> Result<Self, ParseWarehouseError> {
        if packtype == PackType::Git {
            return Ok(Warehouse::Git(git(text, base)?, route.clone()));
        }
        let shown = || without_secrets(text).into_owned();
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| ParseWarehouseError::NoScheme { address: shown() })?;
        if rest.is_empty() {
            return Err(ParseWarehouseError::Empty { address: shown() });
        }
        match scheme {
            "file" => Ok(Warehouse::File(place(base, rest))),
            "ca+file" => Ok(Warehouse::CaFile(place(base, rest))),
            "http" | "https" => Ok(Warehouse::Http(text.to_owned(), route.clone())),
            "ca+http" | "ca+https" => {
                Ok(Warehouse::CaHttp(text["ca+".len()..].to_owned(), route.clone()))
            }
            _ => Err(ParseWarehouseError::UnknownScheme {
                address: shown(),
                scheme: scheme.to_owned(),
            }),
        }
    }
}

/// Returns `path` for display, without `.` between its components.
fn place(base: &Path, path: &str) -> PathBuf {
    base.join(path).components().collect()
}

/// Git accepts many forms of addresses; those that it would take for an option or that run a program are refused.
fn git(text: &str, base: &Path) -> Result<String, ParseWarehouseError> {
    if text.is_empty()
        || text.starts_with('-')
        || text.contains("::")
        || text.contains(['\0', '\n'])
    {
        return Err(ParseWarehouseError::Git {
            address: without_secrets(text).escape_debug().to_string(),
        });
    }
    if let Some(path) = text.strip_prefix("file://") {
        return Ok(base.join(path).display().to_string());
    }
    let scp_like = text.split('/').next().is_some_and(|head| head.contains(':'));
    if text.contains("://") || scp_like {
        return Ok(text.to_owned());
    }
    Ok(base.join(text).display().to_string())
}

impl Warehouse {
    /// Returns the address for `git`, including credentials.
    pub(in crate::ware) fn git_address(&self) -> String {
        match self {
            Warehouse::Git(url, _) => url.clone(),
            other => other.to_string(),
        }
    }
}

/// For display: without passwords.
impl fmt::Display for Warehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warehouse::File(path) => write!(f, "file://{}", path.display()),
            Warehouse::CaFile(path) => write!(f, "ca+file://{}", path.display()),
            Warehouse::Http(url, _) | Warehouse::Git(url, _) => f.write_str(&without_secrets(url)),
            Warehouse::CaHttp(url, _) => write!(f, "ca+{}", without_secrets(url)),
        }
    }
}

/// Why a text is not the address of a warehouse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseWarehouseError {
    /// There is no `scheme://`.
    #[error(
        "warehouse `{address}` has no scheme: expected `file://`, `ca+file://`, `http(s)://` or `ca+http(s)://`"
    )]
    NoScheme {
        /// The given text.
        address: String,
    },
    /// The scheme is unknown.
    #[error(
        "warehouse `{address}` has the unknown scheme `{scheme}`: expected `file`, `ca+file`, `http(s)` or `ca+http(s)`"
    )]
    UnknownScheme {
        /// The given text.
        address: String,
        /// Its scheme.
        scheme: String,
    },
    /// Nothing follows the scheme.
    #[error("warehouse `{address}` has no path")]
    Empty {
        /// The given text.
        address: String,
    },
    /// Git would not take it for an address.
    #[error("`{address}` is not the address of a git repository")]
    Git {
        /// The given text.
        address: String,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str, packtype: PackType) -> Result<Warehouse, ParseWarehouseError> {
        Warehouse::parse(text, packtype, Path::new("/cwd"), &Route::default())
    }

    #[test]
    fn addresses_print_as_they_were_written() {
        for text in ["file:///a/b", "ca+file:///w", "https://h/x.tgz", "ca+https://h/w/"] {
            let warehouse = parse(text, PackType::Tar).unwrap();
            assert_eq!(warehouse.to_string(), text);
        }
    }

    #[test]
    fn relative_paths_start_at_the_base() {
        let warehouse = parse("ca+file://./wares/", PackType::Tar).unwrap();
        assert_eq!(warehouse, Warehouse::CaFile("/cwd/./wares/".into()));
    }

    #[test]
    fn n12_addresses_that_git_could_execute_are_refused() {
        for text in ["--upload-pack=x", "ext::sh -c x", "fd::17", ""] {
            assert!(parse(text, PackType::Git).is_err(), "{text}");
        }
    }
}
