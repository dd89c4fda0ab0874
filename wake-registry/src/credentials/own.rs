//! The logins saved by `wake login`, by address, in a file of the user.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Asked, Login, fault};
use crate::authority::is_private;
use crate::error::{RegistryError, at};
use crate::key_ring::who_else_reads;

/// Maximum size of the file, in bytes.
const LARGEST: u64 = 1 << 20;

/// A saved login. It cannot be displayed.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Noted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// The host of its token server, if that is another server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_server: Option<String>,
}

/// The file: logins by address.
type Logins = BTreeMap<String, Noted>;

/// Returns the login whose address is the longest prefix of what is requested.
pub(super) fn login(file: &Path, asked: Asked<'_>) -> Result<Option<Login>, RegistryError> {
    let Some(text) = read(file)? else { return Ok(None) };
    let wanted = match asked {
        Asked::Files { url } => url.to_owned(),
        Asked::Containers { host, repository } => format!("oci://{host}/{repository}"),
    };
    let logins = parse(file, &text)?;
    let fits = |(address, _): &(&String, &Noted)| is_below(&wanted, address);
    let found = logins.iter().filter(fits).max_by_key(|(address, _)| address.len());
    let Some((address, noted)) = found else { return Ok(None) };
    let from = format!("`{}`", file.display());
    let login = match (&noted.username, &noted.password, &noted.token) {
        (Some(name), Some(password), None) => Login::basic(name, password, from),
        (None, None, Some(token)) => Login::token(token, from),
        _ => {
            let problem = format!("`{address}` has neither `username` and `password` nor `token`");
            return Err(fault(file.to_owned(), problem));
        }
    };
    Ok(Some(login.told_to(noted.token_server.clone())))
}

/// Saves a login for an address, in a file that only the user can read. All other lines stay as they are.
pub(crate) fn note(file: &Path, address: &str, noted: &Noted) -> Result<(), RegistryError> {
    let before = read(file)?.unwrap_or_default();
    let mut logins = parse(file, &before)?;
    let mut text = without(&before, address);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let values = toml::to_string(noted)
        .map_err(|_| fault(file.to_owned(), "the login cannot be represented in TOML"))?;
    text += &format!("[{}]\n{values}", quoted(address));
    logins.insert(address.to_owned(), noted.clone());
    write(file, &text, &logins)
}

/// Removes the login for an address; returns whether there was one.
pub(crate) fn forget(file: &Path, address: &str) -> Result<bool, RegistryError> {
    let Some(before) = read(file)? else { return Ok(false) };
    let mut logins = parse(file, &before)?;
    if logins.remove(address).is_none() {
        return Ok(false);
    }
    write(file, &without(&before, address), &logins)?;
    Ok(true)
}

/// Whether an address is equal to or below another one: same scheme, host and port, and a prefix of whole path
/// segments.
fn is_below(address: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    let private = above.starts_with("oci://") || is_private(above);
    let rest = address.strip_prefix(above);
    private && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The text without the table of an address.
fn without(text: &str, address: &str) -> String {
    let heads = [format!("[{}]", quoted(address)), format!("['{address}']")];
    let mut is_its = false;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            is_its = heads.iter().any(|head| line.trim() == head);
        }
        // A comment after it may belong to the next table.
        if !is_its || line.trim_start().starts_with('#') {
            kept.push_str(line);
        }
    }
    kept
}

fn quoted(address: &str) -> String {
    toml::Value::String(address.to_owned()).to_string()
}

fn parse(file: &Path, text: &str) -> Result<Logins, RegistryError> {
    // The parser's message may quote the contents.
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
        fault(file.to_owned(), format!("invalid credentials file at line {line}"))
    })
}

fn read(file: &Path) -> Result<Option<String>, RegistryError> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => at(file, opened)?,
    };
    let metadata = at(file, opened.metadata())?;
    if let Some(who) = who_else_reads(&metadata) {
        let problem = format!("it contains logins but {who}");
        return Err(RegistryError::OpenLogins { path: file.to_owned(), problem });
    }
    let mut text = String::new();
    let read = opened.take(LARGEST).read_to_string(&mut text);
    read.map_err(|source| match source.kind() {
        ErrorKind::InvalidData => fault(file.to_owned(), "it is not UTF-8"),
        _ => RegistryError::Io { path: file.to_owned(), source },
    })?;
    Ok(Some(text))
}

fn write(file: &Path, text: &str, meant: &Logins) -> Result<(), RegistryError> {
    if parse(file, text).ok().as_ref() != Some(meant) {
        return Err(fault(
            file.to_owned(),
            "its formatting is too unusual for wake to edit it safely",
        ));
    }
    let dir = file.parent().unwrap_or(Path::new("/"));
    at(dir, DirBuilder::new().recursive(true).mode(0o700).create(dir))?;
    let temporary = file.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut new| new.write_all(text.as_bytes()).and_then(|()| new.sync_all()))
        .and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    at(file, written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn token(text: &str) -> Noted {
        Noted { username: None, password: None, token: Some(text.to_owned()), token_server: None }
    }

    #[test]
    fn n3_a_login_is_for_its_scheme_host_port_and_path() {
        for (address, above, is) in [
            ("https://h/a/b", "https://h/a", true),
            ("https://h/a", "https://h/a/", true),
            ("https://h/ab", "https://h/a", false),
            ("https://h:8/a", "https://h/a", false),
            ("http://h/a", "https://h/a", false),
            ("http://h/a", "http://h/a", false),
            ("http://127.0.0.1:8/a", "http://127.0.0.1:8", true),
            ("https://h.evil.org/a", "https://h", false),
            ("oci://h/acme/text", "oci://h/acme", true),
            ("oci://h/acmes/text", "oci://h/acme", false),
        ] {
            assert_eq!(is_below(address, above), is, "{address} {above}");
        }
    }

    #[test]
    fn a_stored_login_is_found_and_others_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("wake/credentials.toml");
        note(&file, "https://h/a", &token("one")).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("# mine\n{text}")).unwrap();
        note(&file, "oci://h", &token("two")).unwrap();
        note(&file, "https://h/a", &token("three")).unwrap();
        let header = |url: &str| {
            let login = login(&file, Asked::Files { url }).unwrap();
            login.map(|login| login.header().reveal().to_owned())
        };
        assert_eq!(header("https://h/a/x").as_deref(), Some("Bearer three"));
        assert_eq!(header("https://h/b"), None);
        let containers = Asked::Containers { host: "h", repository: "acme/text" };
        assert_eq!(login(&file, containers).unwrap().unwrap().header().reveal(), "Bearer two");
        assert!(forget(&file, "https://h/a").unwrap());
        assert!(!forget(&file, "https://h/a").unwrap());
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, "# mine\n[\"oci://h\"]\ntoken = \"two\"\n");
    }

    #[test]
    fn an_unsafe_or_unreadable_file_is_refused_without_its_contents() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials.toml");
        note(&file, "https://h/a", &token("canary")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let said = || login(&file, Asked::Files { url: "https://h/a" }).err().unwrap().to_string();
        assert!(
            said().ends_with("it contains logins but is accessible to other users"),
            "{}",
            said()
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        for text in
            ["[\"https://h/a\"]\ntokens = \"canary\"", "\n[\"https://h/a\"]\ntoken = canary"]
        {
            fs::write(&file, text).unwrap();
            assert!(said().contains("invalid credentials file") && !said().contains("canary"));
        }
        fs::write(&file, "[\"https://h/a\"]\nusername = \"canary\"\n").unwrap();
        assert!(said().contains("has neither `username` and `password` nor `token`"));
    }
}
