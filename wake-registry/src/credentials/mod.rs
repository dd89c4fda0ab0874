//! With which login a registry is asked. Nothing here can be shown, and an error says whence something was, never what it was.

mod helper;
mod containers;
mod netrc;
mod own;

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wake_model::Name;
use wake_store::ware::{Route, Secret};

pub(crate) use self::own::{Noted, forget, note};
use crate::authority::host_of;
use crate::error::RegistryError;

/// What the name of a variable begins with that has the login for a registry.
const VARIABLE: &str = "WAKE_TOKEN_";

/// What lets one in. It has no form in which it could be shown.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    header: Secret,
    /// Whether it is a name with a password.
    is_basic: bool,
    /// Whence it is, as a person is told.
    pub(crate) from: String,
    /// Another server that may be told it, where that was noted.
    pub(crate) token_server: Option<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
    /// A server of files.
    Files {
        /// The address of the registry.
        url: &'a str,
    },
    /// A registry of containers.
    Containers {
        /// The host, with its port where one is written.
        host: &'a str,
        /// The repository.
        repository: &'a str,
    },
}

impl Login {
    /// A name and a password.
    pub(crate) fn basic(name: &str, password: &str, from: String) -> Login {
        Login::encoded(&STANDARD.encode(format!("{name}:{password}")), from)
    }

    /// The same, in base64.
    fn encoded(text: &str, from: String) -> Login {
        let header = Secret::new(format!("Basic {text}"));
        Login { header, is_basic: true, from, token_server: None }
    }

    /// A token.
    pub(crate) fn token(token: &str, from: String) -> Login {
        let header = Secret::new(format!("Bearer {token}"));
        Login { header, is_basic: false, from, token_server: None }
    }

    /// The same, which another server may be told.
    pub(crate) fn told_to(self, token_server: Option<String>) -> Login {
        Login { token_server, ..self }
    }

    /// Either of them, as one text: `NAME:PASSWORD`, or what has no `:`; none where it could be said to nobody.
    fn of_text(text: &str, from: String) -> Option<Login> {
        let text = text.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            return None;
        }
        match text.split_once(':') {
            Some((name, password)) => Some(Login::basic(name, password, from)),
            None => text.is_ascii().then(|| Login::token(text, from)),
        }
    }

    /// What a question says that brings it.
    pub(crate) fn header(&self) -> Secret {
        self.header.clone()
    }

    /// Whether whoever gives tokens gives one for it.
    pub(crate) fn is_basic(&self) -> bool {
        self.is_basic
    }
}

/// The login for what is asked, the first that is found: in a variable, if it is a registry of that name and no mirror of one, in the person's own file, and where other programs keep it.
pub(crate) fn login(
    route: &Route,
    registry: Option<&Name>,
    asked: Asked<'_>,
) -> Result<Option<Login>, RegistryError> {
    let named = registry.map(|registry| in_variable(route, registry)).transpose()?.flatten();
    if named.is_some() {
        return Ok(named);
    }
    if let Some(file) = &route.own_logins
        && let Some(login) = own::login(file, asked)?
    {
        return Ok(Some(login));
    }
    match asked {
        Asked::Files { url } => match (&route.netrc, host_of(url)) {
            (Some(file), Some(host)) => netrc::login(file, host),
            _ => Ok(None),
        },
        Asked::Containers { host, repository } => containers::login(route, host, repository),
    }
}

/// The login that a variable has for a registry, by what `wake.toml` calls that.
fn in_variable(route: &Route, registry: &Name) -> Result<Option<Login>, RegistryError> {
    let variable =
        format!("{VARIABLE}{}", registry.as_str().to_ascii_uppercase().replace('-', "_"));
    let Some(secret) = route.tokens.get(&variable) else { return Ok(None) };
    let login = Login::of_text(secret.reveal(), format!("`{variable}`"));
    login
        .map(Some)
        .ok_or_else(|| fault(PathBuf::from(variable), "it is no `NAME:PASSWORD`, and no token"))
}

fn fault(path: PathBuf, problem: impl Into<String>) -> RegistryError {
    RegistryError::Logins { path, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_variable_is_for_the_registry_of_its_name_before_anything_else() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let route = Route {
            tokens: [
                ("WAKE_TOKEN_MY_TEAM".to_owned(), secret("me:p:w")),
                ("WAKE_TOKEN_X".to_owned(), secret("a b\n\u{1}")),
            ]
            .into(),
            ..Route::default()
        };
        let asked = Asked::Files { url: "https://h/x" };
        let of = |name: &str| login(&route, Some(&name.parse().unwrap()), asked);
        let found = of("my-team").unwrap().unwrap();
        assert_eq!(found.header().reveal(), format!("Basic {}", STANDARD.encode("me:p:w")));
        assert_eq!(found.from, "`WAKE_TOKEN_MY_TEAM`");
        assert!(of("other").unwrap().is_none());
        let error = of("x").err().unwrap().to_string();
        assert_eq!(error, "`WAKE_TOKEN_X`: it is no `NAME:PASSWORD`, and no token");
        assert!(!format!("{route:?}").contains("p:w"));
        assert_eq!(Login::of_text(" tok ", String::new()).unwrap().header().reveal(), "Bearer tok");
    }
}
