//! With which name and password a registry is asked: as the tools for containers keep them. Source: containers-auth.json(5).

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::RegistryError;

/// Bytes of such a file at most.
const LARGEST: u64 = 1 << 20;

/// A name and a password. It has no form in which it could be shown.
#[derive(Clone)]
pub(super) struct Login {
    /// `NAME:PASSWORD` in base64.
    basic: String,
    /// The file that has it.
    pub(super) from: PathBuf,
}

#[derive(Deserialize)]
struct LoginFile {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
}

impl Login {
    /// What a question says that brings it.
    pub(super) fn header(&self) -> String {
        format!("Basic {}", self.basic)
    }
}

/// The login for `repository` of `host`, of the first of `files` that has one: for the repository, or what its name begins with, or the
/// host.
pub(super) fn login(
    files: &[PathBuf],
    host: &str,
    repository: &str,
) -> Result<Option<Login>, RegistryError> {
    for file in files {
        let Some(LoginFile { auths }) = read(file)? else { continue };
        let mut key = format!("{host}/{repository}");
        loop {
            let found = auths.get(&key).and_then(|entry| entry.auth.as_deref());
            if let Some(auth) = found.filter(|auth| !auth.is_empty()) {
                let is_one = STANDARD.decode(auth).is_ok_and(|bytes| bytes.contains(&b':'));
                return match is_one {
                    true => Ok(Some(Login { basic: auth.to_owned(), from: file.clone() })),
                    false => Err(fault(
                        file,
                        format!("`auth` of `{key}` is no name with a password in base64"),
                    )),
                };
            }
            match key.rfind('/') {
                Some(end) => key.truncate(end),
                None => break,
            }
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Option<LoginFile>, RegistryError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RegistryError::Io { path: path.to_owned(), source }),
        Ok(_) => {}
    }
    // What the parser says may quote what it read.
    let parsed = serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        fault(path, format!("it is no file of logins: line {line}, column {column}"))
    })?;
    Ok(Some(parsed))
}

fn fault(path: &Path, problem: String) -> RegistryError {
    RegistryError::Logins { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn the_longest_beginning_in_the_first_file_counts() {
        let dir = tempfile::tempdir().unwrap();
        let auth = |text: &str| STANDARD.encode(text);
        let one = written(
            dir.path(),
            "one",
            &format!(
                r#"{{"auths":{{"h":{{"auth":"{}"}},"h/acme":{{"auth":"{}"}}}},"credsStore":"x"}}"#,
                auth("a:1"),
                auth("b:2")
            ),
        );
        let two = written(
            dir.path(),
            "two",
            &format!(r#"{{"auths":{{"i":{{"auth":"{}"}}}}}}"#, auth("c:3")),
        );
        let files = [dir.path().join("absent"), one, two];
        let of = |host: &str, repository: &str| {
            login(&files, host, repository).unwrap().map(|login| login.header())
        };
        assert_eq!(of("h", "acme/text"), Some(format!("Basic {}", auth("b:2"))));
        assert_eq!(of("h", "acm/text"), Some(format!("Basic {}", auth("a:1"))));
        assert_eq!(of("i", "x"), Some(format!("Basic {}", auth("c:3"))));
        assert_eq!(of("h:5000", "acme"), None);
    }

    #[test]
    fn what_is_wrong_is_said_without_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        for (text, said) in [
            (r#"{"auths":{"h":{"auth":"c2VjcmV0"}}}"#, "`auth` of `h` is no name"),
            (r#"{"auths":"c2VjcmV0"}"#, "line 1"),
            (r#"{"auths":{"h":{"auth":["c2VjcmV0"]}}}"#, "line 1"),
        ] {
            let file = written(dir.path(), "logins", text);
            let error = login(&[file], "h", "acme").err().unwrap().to_string();
            assert!(error.contains(said) && !error.contains("c2VjcmV0"), "{error}");
        }
    }
}
