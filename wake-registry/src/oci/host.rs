//! The server of a registry of containers: how it is reached, and how it is told who asks. Source: distribution-spec 1.1.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::Deserialize;
use wake_model::Name;
use wake_store::ware::{Meter, Route, Secret, Web, WebBody, WebError, WebReply, WebRequest};

use super::challenge::{Challenge, challenge};
use crate::authority::{host_of, is_this_machine, without_port};
use crate::credentials::{Asked, Login, login};
use crate::error::RegistryError;

/// Bytes of an answer at most that is read whole.
pub(super) const LONGEST: u64 = 16 << 20;

/// The server of a registry, as one registry of a workspace asks it.
#[derive(Debug)]
pub(super) struct Host {
    registry: Name,
    /// What whoever sets a variable with a login for it calls it.
    named: Option<Name>,
    host: String,
    web: Web,
    /// Its scheme, once it is known.
    origin: OnceLock<String>,
    /// With which login it is asked, if somebody said so: never shown.
    given: OnceLock<Login>,
    /// What is said to it of who asks, for each repository: never shown.
    said: Mutex<HashMap<String, Said>>,
}

/// What a question says of who asks, and whence that is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    header: Secret,
    by: String,
}

#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token")]
    token: Option<String>,
}

impl Host {
    pub(super) fn new(registry: Name, named: Option<Name>, host: String, web: Web) -> Host {
        // What is not encrypted must not leave this machine, also not by a proxy.
        let web = match is_this_machine(&host) {
            true => Web::new(Route { no_proxy: Some("*".to_owned()), ..web.route().clone() }),
            false => web,
        };
        let (origin, given) = (OnceLock::new(), OnceLock::new());
        Host { registry, named, host, web, origin, given, said: Mutex::default() }
    }

    /// Has it be asked with this login, whatever others are noted.
    pub(super) fn ask_with(&self, login: Login) {
        // Whoever says so does it once.
        let _ = self.given.set(login);
    }

    /// Asks about `repository`, whose path below the server's is `path`, and takes no for an answer, but not for who asks.
    pub(super) fn ask(
        &self,
        repository: &str,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: WebBody,
        meter: &Meter,
    ) -> Result<WebReply, RegistryError> {
        let url = match path.contains("://") {
            true => path.to_owned(),
            false => format!("{}{path}", self.origin(meter)?),
        };
        let request = WebRequest { method, url, headers, body };
        let reply = self.exchange(repository, &request, meter)?;
        let status = reply.answer.status;
        if matches!(status, 401 | 403 | 407) {
            let said = self.said().get(repository).cloned();
            let by = said.map_or("no login was found for it".to_owned(), |said| said.by);
            let status = format!("{}; {by}", reply.answer.status_line);
            let (registry, path) = (self.registry.clone(), self.place(repository));
            return Err(RegistryError::Denied { registry, path, status });
        }
        if reply.answer.is_encoded {
            return Err(self.unavailable(repository, "the answer is encoded"));
        }
        if (200..300).contains(&status) && reply.answer.kind.as_deref() == Some("text/html") {
            let problem = "a page for people came instead of a registry's answer";
            return Err(self.unavailable(repository, problem));
        }
        Ok(reply)
    }

    /// Whether a registry answers here at all.
    pub(super) fn check_there(&self, meter: &Meter) -> Result<(), RegistryError> {
        let url = format!("{}/v2/", self.origin(meter)?);
        let request = WebRequest { method: "GET", url, headers: Vec::new(), body: WebBody::None };
        let reply = self.send(&request, "", meter)?;
        match reply.answer.status {
            200 if reply.answer.kind.as_deref() == Some("text/html") => {
                Err(self.unavailable("", "a page for people came instead of a registry's answer"))
            }
            200 | 401 | 403 => Ok(()),
            404 => Err(RegistryError::NoRegistry { address: format!("oci://{}", self.host) }),
            _ => Err(self.unavailable("", &reply.answer.status_line)),
        }
    }

    /// Who gives tokens for this registry, where that is another server that is not told logins by itself.
    pub(super) fn strange_token_server(
        &self,
        meter: &Meter,
    ) -> Result<Option<String>, RegistryError> {
        let url = format!("{}/v2/", self.origin(meter)?);
        let request = WebRequest { method: "GET", url, headers: Vec::new(), body: WebBody::None };
        let reply = self.send(&request, "", meter)?;
        let challenge = reply.headers("www-authenticate").filter_map(challenge).next();
        Ok(match challenge {
            Some(Challenge::Bearer { realm, .. }) if !may_know(&realm, &self.host) => {
                host_of(&realm).map(str::to_owned)
            }
            _ => None,
        })
    }

    /// Whether the server lets in whoever asks.
    pub(super) fn check_login(&self, meter: &Meter) -> Result<(), RegistryError> {
        let reply = self.ask("", "GET", "/v2/", Vec::new(), WebBody::None, meter)?;
        match reply.answer.status {
            200 => Ok(()),
            _ => Err(self.unexpected("", &reply)),
        }
    }

    /// All bytes of an answer.
    pub(super) fn read(&self, repository: &str, reply: WebReply) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        match reply.answer.bytes.take(LONGEST + 1).read_to_end(&mut bytes) {
            Ok(length) if length as u64 > LONGEST => {
                Err(self.unavailable(repository, &format!("more than {} MiB come", LONGEST >> 20)))
            }
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.unavailable(repository, &format!("it broke off: {error}"))),
        }
    }

    /// What an answer of another status than was hoped for comes to.
    pub(super) fn unexpected(&self, repository: &str, reply: &WebReply) -> RegistryError {
        self.unavailable(repository, &reply.answer.status_line)
    }

    pub(super) fn unavailable(&self, repository: &str, problem: &str) -> RegistryError {
        RegistryError::Unavailable {
            registry: self.registry.clone(),
            path: self.place(repository),
            problem: problem.to_owned(),
        }
    }

    /// The address that `reference` means in an answer of this server; none if it leads from an encrypted server to another one.
    pub(super) fn resolved(
        &self,
        reference: &str,
        meter: &Meter,
    ) -> Result<Option<String>, RegistryError> {
        let origin = self.origin(meter)?;
        Ok(match reference {
            _ if reference.starts_with('/') && !reference.starts_with("//") => {
                Some(format!("{origin}{reference}"))
            }
            _ if reference.starts_with("https://") => Some(reference.to_owned()),
            // A server behind another one that encrypts may not know that.
            _ => {
                let own = format!("http://{}/", self.host);
                reference.strip_prefix(&own).map(|path| format!("{origin}/{path}"))
            }
        })
    }

    /// Whether an address is one of this server.
    pub(super) fn is_own(&self, url: &str, meter: &Meter) -> Result<bool, RegistryError> {
        let rest = url.strip_prefix(self.origin(meter)?);
        Ok(rest.is_some_and(|rest| rest.starts_with('/')))
    }

    fn place(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.host)
    }

    /// Scheme and host. Only this machine is asked without encryption, if it does not answer otherwise.
    fn origin(&self, meter: &Meter) -> Result<&str, RegistryError> {
        if let Some(origin) = self.origin.get() {
            return Ok(origin);
        }
        let encrypted = format!("https://{}", self.host);
        let origin = match is_this_machine(&self.host) {
            false => encrypted,
            true => {
                let plain = format!("http://{}", self.host);
                let url = format!("{plain}/v2/");
                let request =
                    WebRequest { method: "GET", url, headers: Vec::new(), body: WebBody::None };
                match self.web.exchange_once(&request, meter) {
                    Err(WebError::Cancelled) => return Err(RegistryError::Cancelled),
                    Ok(reply) if reply.answer.status != 400 => plain,
                    Ok(_) | Err(_) => encrypted,
                }
            }
        };
        Ok(self.origin.get_or_init(|| origin))
    }

    fn exchange(
        &self,
        repository: &str,
        request: &WebRequest,
        meter: &Meter,
    ) -> Result<WebReply, RegistryError> {
        // Another server is not told who asks.
        if !self.is_own(&request.url, meter)? {
            return self.send(request, repository, meter);
        }
        let known = self.said().get(repository).cloned();
        let reply = self.send(&saying(request, known.as_ref()), repository, meter)?;
        if reply.answer.status != 401 {
            return Ok(reply);
        }
        let challenges = reply.headers("www-authenticate");
        let Some(challenge) = challenges.filter_map(challenge).next() else { return Ok(reply) };
        let Some(said) = self.what_to_say(repository, challenge, meter)? else { return Ok(reply) };
        if known.as_ref() == Some(&said) {
            return Ok(reply);
        }
        self.said().insert(repository.to_owned(), said.clone());
        self.send(&saying(request, Some(&said)), repository, meter)
    }

    fn what_to_say(
        &self,
        repository: &str,
        challenge: Challenge,
        meter: &Meter,
    ) -> Result<Option<Said>, RegistryError> {
        let asked = Asked::Containers { host: &self.host, repository };
        let login = match self.given.get() {
            Some(given) => Some(given.clone()),
            None => login(self.web.route(), self.named.as_ref(), asked)?,
        };
        let by = |login: &Login| format!("it was asked with the login in {}", login.from);
        match (challenge, login) {
            // One that is a token itself needs none.
            (Challenge::Basic, login) => {
                Ok(login.map(|login| Said { header: login.header(), by: by(&login) }))
            }
            (Challenge::Bearer { .. }, Some(login)) if !login.is_basic() => {
                Ok(Some(Said { header: login.header(), by: by(&login) }))
            }
            (Challenge::Bearer { realm, service, scope }, login) => {
                let mut by = login.as_ref().map_or("it was asked without a login".to_owned(), by);
                let knows = |login: &Login| {
                    may_know(&realm, &self.host)
                        || login
                            .token_server
                            .as_deref()
                            .is_some_and(|noted| host_of(&realm) == Some(noted))
                };
                if let Some(login) = login.as_ref().filter(|login| !knows(login)) {
                    let at = host_of(&realm).unwrap_or_default();
                    by = format!(
                        "{at}, who gives tokens for it, was not told the login in {}, which `wake login` would have noted",
                        login.from
                    );
                }
                let login = login.filter(knows);
                let token = self.token(repository, &realm, service, scope, login, &by, meter)?;
                Ok(Some(Said { header: Secret::new(format!("Bearer {token}")), by }))
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a challenge taken apart")]
    fn token(
        &self,
        repository: &str,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
        login: Option<Login>,
        by: &str,
        meter: &Meter,
    ) -> Result<String, RegistryError> {
        let at = host_of(realm).unwrap_or_default();
        let is_plain = realm.starts_with("http://") && is_this_machine(at);
        if !realm.starts_with("https://") && !is_plain {
            return Err(self.unavailable(
                repository,
                "it sends for a token to an address that is not encrypted",
            ));
        }
        let mut url = realm.to_owned();
        for (key, value) in [("service", service), ("scope", scope)] {
            let Some(value) = value else { continue };
            url.push(if url.contains('?') { '&' } else { '?' });
            url += &format!("{key}={}", in_query(&value));
        }
        let headers = login
            .iter()
            .map(|login| ("authorization", login.header().reveal().to_owned()))
            .collect();
        let request = WebRequest { method: "GET", url, headers, body: WebBody::None };
        let reply = self.send(&request, repository, meter)?;
        let path = format!("{}, of whoever gives tokens for it, {at}", self.place(repository));
        match reply.answer.status {
            200 => {}
            401 | 403 => {
                let status = format!("{}; {by}", reply.answer.status_line);
                return Err(RegistryError::Denied {
                    registry: self.registry.clone(),
                    path,
                    status,
                });
            }
            _ => return Err(self.unexpected(repository, &reply)),
        }
        // What the parser says may quote what it read.
        let token = serde_json::from_slice::<Token>(&self.read(repository, reply)?).ok();
        let token = token.and_then(|token| token.token);
        let is_token = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        token
            .filter(is_token)
            .ok_or_else(|| self.unavailable(repository, &format!("{at} gave no token for it")))
    }

    fn send(
        &self,
        request: &WebRequest,
        repository: &str,
        meter: &Meter,
    ) -> Result<WebReply, RegistryError> {
        self.web.exchange(request, meter).map_err(|error| match error {
            WebError::Cancelled => RegistryError::Cancelled,
            error => self.unavailable(repository, &error.to_string()),
        })
    }

    fn said(&self) -> std::sync::MutexGuard<'_, HashMap<String, Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn saying(request: &WebRequest, said: Option<&Said>) -> WebRequest {
    let mut request = request.clone();
    request.headers.extend(said.map(|said| ("authorization", said.header.reveal().to_owned())));
    request
}

/// Whether whoever gives tokens at `realm` may be told the login for `host`: it is the same host, or under the same two last labels.
fn may_know(realm: &str, host: &str) -> bool {
    let Some(at) = host_of(realm) else { return false };
    if at == host {
        return true;
    }
    let (at, host) = (without_port(at), without_port(host));
    let is_name = |host: &str| host.parse::<IpAddr>().is_err();
    let end = |host: &str| {
        let mut labels = host.rsplit('.');
        Some((labels.next()?.to_owned(), labels.next()?.to_owned()))
    };
    is_name(at) && is_name(host) && end(at).is_some() && end(at) == end(host)
}

fn in_query(text: &str) -> String {
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/,".contains(byte);
    text.bytes()
        .map(|byte| if kept(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_for_its_host_and_who_gives_tokens_beside_it() {
        for (realm, host, may) in [
            ("https://r.example.org/token", "r.example.org", true),
            ("https://auth.example.org/token", "r.example.org", true),
            ("https://example.net/token", "r.example.org", false),
            ("https://r.example.org@evil.net/", "r.example.org", false),
            ("https://evil.net\\.example.org/", "r.example.org", false),
            ("https://10.0.0.1/", "10.1.0.1", false),
            ("http://127.0.0.1:1/", "127.0.0.1:2", false),
            ("https://localhost/", "localhost:1", false),
        ] {
            assert_eq!(may_know(realm, host), may, "{realm} {host}");
        }
    }
}
