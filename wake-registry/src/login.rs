//! Noting a login, once the registry that it is for lets one in with it.

use std::path::Path;

use wake_model::Name;
use wake_store::ware::{Meter, Route, Secret, Web};

use crate::address::Address;
use crate::authority::is_private;
use crate::credentials::{Login, Noted, forget, note};
use crate::error::RegistryError;
use crate::reader::Registry;

/// A login that is to be noted.
#[derive(Clone, Debug)]
pub struct LoginNote {
    /// The name; without one, what is secret is a token.
    pub username: Option<String>,
    /// The password or the token.
    pub secret: Secret,
}

/// Asks the registry with a login, and notes it in `file`. Gives who else will be told it, if somebody gives tokens for the registry who
/// would not be told by themselves.
pub fn log_in(
    name: &Name,
    address: &Address,
    login: &LoginNote,
    file: &Path,
    route: &Route,
    meter: &Meter,
) -> Result<Option<String>, RegistryError> {
    let key = key(address)?;
    let registry = Registry::new(name.clone(), address.clone(), Web::new(route.clone()));
    let token_server = registry.strange_token_server(meter)?;
    let noted = Noted {
        password: login.username.is_some().then(|| login.secret.reveal().to_owned()),
        token: login.username.is_none().then(|| login.secret.reveal().to_owned()),
        username: login.username.clone(),
        token_server: token_server.clone(),
    };
    registry.asking_with(typed(&noted)).check_login(meter)?;
    note(file, &key, &noted)?;
    Ok(token_server)
}

/// The login as it was typed.
fn typed(noted: &Noted) -> Login {
    let from = "what was typed".to_owned();
    let login = match (&noted.username, &noted.password, &noted.token) {
        (Some(name), Some(password), _) => Login::basic(name, password, from),
        (_, _, token) => Login::token(token.as_deref().unwrap_or_default(), from),
    };
    login.told_to(noted.token_server.clone())
}

/// Takes the login for a registry out of `file`; says whether there was one.
pub fn log_out(address: &Address, file: &Path) -> Result<bool, RegistryError> {
    forget(file, &key(address)?)
}

/// What a login is noted for.
fn key(address: &Address) -> Result<String, RegistryError> {
    match address {
        Address::Dir(_) => Err(RegistryError::NoLogin {
            address: address.to_string(),
            problem: "it is a directory, which asks nobody",
        }),
        Address::Web(url) if !is_private(url) => Err(RegistryError::NoLogin {
            address: address.to_string(),
            problem: "what is said to it is not encrypted",
        }),
        Address::Web(url) if url.contains('@') => Err(RegistryError::NoLogin {
            address: address.to_string(),
            problem: "a login stands in its address already",
        }),
        Address::Web(url) => Ok(url.clone()),
        Address::Oci { .. } => Ok(address.to_string()),
    }
}
