//! Finds the login for a registry. Nothing here can be displayed: an error names the source of a login, never its
//! value.

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

/// The prefix of environment variables that hold a registry's login.
const VARIABLE: &str = "WAKE_TOKEN_";

/// A login. It cannot be displayed.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    header: Secret,
    /// Whether it is a name with a password.
    is_basic: bool,
    /// Where it comes from, as shown in messages.
    pub(crate) from: String,
    /// Another server that may receive it, if one was recorded.
    pub(crate) token_server: Option<String>,
}

/// What is requested.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
    /// A file server.
    Files {
        /// The address of the registry.
        url: &'a str,
    },
    /// A container registry.
    Containers {
        /// The host, with its port if one is given.
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

    /// The same, which another server may receive as well.
    pub(crate) fn told_to(self, token_server: Option<String>) -> Login {
        Login { token_server, ..self }
    }

    /// Parses `NAME:PASSWORD`, or a token, which has no `:`. Returns `None` for a text that cannot be sent.
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

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> Secret {
        self.header.clone()
    }

    /// Whether it can be exchanged for a token at a token server.
    pub(crate) fn is_basic(&self) -> bool {
        self.is_basic
    }
}

/// Returns the first login found: in an environment variable (for a registry of that name, not for its mirrors), in
/// wake's own file, or where other programs store it.
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

/// Returns the login from the environment variable of a registry, by its name in `wake.toml`.
fn in_variable(route: &Route, registry: &Name) -> Result<Option<Login>, RegistryError> {
    let variable =
        format!("{VARIABLE}{}", registry.as_str().to_ascii_uppercase().replace('-', "_"));
    let Some(secret) = route.tokens.get(&variable) else { return Ok(None) };
    let login = Login::of_text(secret.reveal(), format!("`{variable}`"));
    login
        .map(Some)
        .ok_or_else(|| fault(PathBuf::from(variable), "expected `NAME:PASSWORD` or a token"))
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
        assert_eq!(error, "`WAKE_TOKEN_X`: expected `NAME:PASSWORD` or a token");
        assert!(!format!("{route:?}").contains("p:w"));
        assert_eq!(Login::of_text(" tok ", String::new()).unwrap().header().reveal(), "Bearer tok");
    }
}
