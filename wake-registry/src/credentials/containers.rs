//! Logins for container registries, as container tools store them. Source: containers-auth.json(5), docker-login(1).

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use wake_store::ware::Route;

use super::{Login, fault, helper};
use crate::error::RegistryError;

/// Maximum size of such a file, in bytes.
const LARGEST: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginFile {
    /// Credential helpers, by host.
    #[serde(default)]
    cred_helpers: HashMap<String, String>,
    #[serde(default)]
    auths: HashMap<String, Entry>,
    /// The credential helper for all other hosts.
    #[serde(default)]
    creds_store: String,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
}

/// Returns the login for `repository` on `host` from the first file that has one. Within a file, the order is: the
/// credential helper of the host; an entry for the repository, for a prefix of its name, or for the host; the default
/// credential helper.
pub(super) fn login(
    route: &Route,
    host: &str,
    repository: &str,
) -> Result<Option<Login>, RegistryError> {
    for file in &route.logins {
        let Some(LoginFile { cred_helpers, auths, creds_store }) = read(file)? else { continue };
        if let Some(name) = cred_helpers.get(host)
            && let Some(login) = helper::login(route, file, name, host)?
        {
            return Ok(Some(login));
        }
        if let Some(login) = written(&auths, file, host, repository)? {
            return Ok(Some(login));
        }
        if !creds_store.is_empty()
            && let Some(login) = helper::login(route, file, &creds_store, host)?
        {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

/// Returns the login stored in a file.
fn written(
    auths: &HashMap<String, Entry>,
    file: &Path,
    host: &str,
    repository: &str,
) -> Result<Option<Login>, RegistryError> {
    let mut key = format!("{host}/{repository}");
    loop {
        let found = auths.get(&key).and_then(|entry| entry.auth.as_deref());
        if let Some(auth) = found.filter(|auth| !auth.is_empty()) {
            let is_one = STANDARD.decode(auth).is_ok_and(|bytes| bytes.contains(&b':'));
            return match is_one {
                true => Ok(Some(Login::encoded(auth, format!("`{}`", file.display())))),
                false => {
                    let problem = format!("`auth` of `{key}` is not a name and password in base64");
                    Err(fault(file.to_owned(), problem))
                }
            };
        }
        match key.rfind('/') {
            Some(end) => key.truncate(end),
            None => return Ok(None),
        }
    }
}

fn read(path: &Path) -> Result<Option<LoginFile>, RegistryError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RegistryError::Io { path: path.to_owned(), source }),
        Ok(_) => {}
    }
    // The parser's message may quote the contents.
    let parsed = serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        fault(path.to_owned(), format!("invalid credentials file at line {line}, column {column}"))
    })?;
    Ok(Some(parsed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn the_longest_prefix_in_the_first_file_wins() {
        let dir = tempfile::tempdir().unwrap();
        let auth = |text: &str| STANDARD.encode(text);
        let one = file(
            dir.path(),
            "one",
            &format!(
                r#"{{"auths":{{"h":{{"auth":"{}"}},"h/acme":{{"auth":"{}"}}}},"credsStore":""}}"#,
                auth("a:1"),
                auth("b:2")
            ),
        );
        let two = file(
            dir.path(),
            "two",
            &format!(r#"{{"auths":{{"i":{{"auth":"{}"}}}}}}"#, auth("c:3")),
        );
        let logins = vec![dir.path().join("absent"), one, two];
        let route = Route { logins, ..Route::default() };
        let of = |host: &str, repository: &str| {
            login(&route, host, repository).unwrap().map(|login| login.header().reveal().to_owned())
        };
        assert_eq!(of("h", "acme/text"), Some(format!("Basic {}", auth("b:2"))));
        assert_eq!(of("h", "acm/text"), Some(format!("Basic {}", auth("a:1"))));
        assert_eq!(of("i", "x"), Some(format!("Basic {}", auth("c:3"))));
        assert_eq!(of("h:5000", "acme"), None);
    }

    #[test]
    fn errors_do_not_reveal_the_contents() {
        let dir = tempfile::tempdir().unwrap();
        for (text, said) in [
            (r#"{"auths":{"h":{"auth":"c2VjcmV0"}}}"#, "`auth` of `h` is not a name"),
            (r#"{"auths":"c2VjcmV0"}"#, "line 1"),
            (r#"{"auths":{"h":{"auth":["c2VjcmV0"]}}}"#, "line 1"),
        ] {
            let file = file(dir.path(), "logins", text);
            let route = Route { logins: vec![file], ..Route::default() };
            let error = login(&route, "h", "acme").err().unwrap().to_string();
            assert!(error.contains(said) && !error.contains("c2VjcmV0"), "{error}");
        }
    }
}
