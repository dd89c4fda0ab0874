//! Logins for file servers in a `.netrc` file. Source: netrc(5) of ftp and curl.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::Login;
use crate::authority::without_port;
use crate::error::RegistryError;

/// Maximum size of such a file, in bytes.
const LARGEST: u64 = 1 << 20;

/// Returns the login for a host. The `default` entry is ignored: it would send the login to any host.
pub(super) fn login(file: &Path, host: &str) -> Result<Option<Login>, RegistryError> {
    let mut bytes = Vec::new();
    match File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RegistryError::Io { path: file.to_owned(), source }),
        Ok(_) => {}
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(find(&text, without_port(host))
        .map(|(name, password)| Login::basic(&name, &password, format!("`{}`", file.display()))))
}

/// The first name and password for a host.
fn find(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = words(text).into_iter();
    let (mut is_its, mut name, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" => {
                if let (true, Some(name), Some(password)) = (is_its, name.take(), password.take()) {
                    return Some((name, password));
                }
                (name, password) = (None, None);
                is_its = word == "machine" && words.next()? == host;
            }
            "login" => name = words.next(),
            "password" => password = words.next(),
            "account" => drop(words.next()),
            _ => {}
        }
    }
    Some((name?, password?)).filter(|_| is_its)
}

/// The words of the file, without comments and the macros of `ftp`, which end at an empty line.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut is_macro = false;
    for line in text.lines() {
        if is_macro {
            is_macro = !line.trim().is_empty();
            continue;
        }
        for word in line.split_whitespace() {
            match word {
                "macdef" => {
                    is_macro = true;
                    break;
                }
                word if word.starts_with('#')
                    && words.last().is_none_or(|last| last != "password") =>
                {
                    break;
                }
                word => words.push(word.trim_matches('"').to_owned()),
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_for_the_host_that_it_names() {
        let text = "# mine\nmachine a.example.org login me password one # work\nmachine b.example.org\n  password #two\n  login you\n\nmacdef x\n  machine c.example.org login no password no\n\ndefault login any password any\n";
        let found =
            |host: &str| find(text, host).map(|(name, password)| format!("{name}:{password}"));
        assert_eq!(found("a.example.org").as_deref(), Some("me:one"));
        assert_eq!(found("b.example.org").as_deref(), Some("you:#two"));
        for host in ["c.example.org", "example.org", "x.a.example.org", ""] {
            assert_eq!(found(host), None, "{host}");
        }
        assert_eq!(find("machine a login me", "a"), None);
        assert_eq!(find("machine", "a"), None);
    }
}
