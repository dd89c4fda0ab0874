//! Saving a login after the registry has accepted it.

use std::path::Path;

use wake_model::Name;
use wake_store::ware::{Meter, Route, Secret, Web};

use crate::address::Address;
use crate::authority::is_private;
use crate::credentials::{Login, Noted, forget, note};
use crate::error::RegistryError;
use crate::reader::Registry;

/// A login to be saved.
#[derive(Clone, Debug)]
pub struct LoginNote {
    /// The user name; without one, the secret is a token.
    pub username: Option<String>,
    /// The password or the token.
    pub secret: Secret,
}

/// Tries a login and saves it in `file`. Returns the token server that will also receive it, if that server would not
/// receive logins otherwise.
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

/// The login as entered.
fn typed(noted: &Noted) -> Login {
    let from = "the input".to_owned();
    let login = match (&noted.username, &noted.password, &noted.token) {
        (Some(name), Some(password), _) => Login::basic(name, password, from),
        (_, _, token) => Login::token(token.as_deref().unwrap_or_default(), from),
    };
    login.told_to(noted.token_server.clone())
}

/// Removes the login for a registry from `file`; returns whether there was one.
pub fn log_out(address: &Address, file: &Path) -> Result<bool, RegistryError> {
    forget(file, &key(address)?)
}

/// The key under which a login is saved.
fn key(address: &Address) -> Result<String, RegistryError> {
    match address {
        Address::Dir(_) => Err(RegistryError::NoLogin {
            address: address.to_string(),
            problem: "a directory needs none",
        }),
        Address::Web(url) if !is_private(url) => Err(RegistryError::NoLogin {
            address: address.to_string(),
            problem: "the connection to it is not encrypted",
        }),
        Address::Web(url) if url.contains('@') => Err(RegistryError::NoLogin {
            address: address.to_string(),
            problem: "its address already contains one",
        }),
        Address::Web(url) => Ok(url.clone()),
        Address::Oci { .. } => Ok(address.to_string()),
    }
}
