//! The server of a container registry: how it is reached and how wake authenticates. Source: distribution-spec 1.1.

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

/// Maximum size of a response that is read whole, in bytes.
pub(super) const LONGEST: u64 = 16 << 20;

/// The server of a container registry, as one registry of a workspace uses it.
#[derive(Debug)]
pub(super) struct Host {
    registry: Name,
    /// The name used for the environment variable with its login.
    named: Option<Name>,
    host: String,
    web: Web,
    /// The origin, once known.
    origin: OnceLock<String>,
    /// The login to use instead of any saved one; never shown.
    given: OnceLock<Login>,
    /// The authorization for each repository; never shown.
    said: Mutex<HashMap<String, Said>>,
}

/// An `Authorization` header, and where it comes from.
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
        // Unencrypted requests must not leave this machine, not even through a proxy.
        let web = match is_this_machine(&host) {
            true => Web::new(Route { no_proxy: Some("*".to_owned()), ..web.route().clone() }),
            false => web,
        };
        let (origin, given) = (OnceLock::new(), OnceLock::new());
        Host { registry, named, host, web, origin, given, said: Mutex::default() }
    }

    /// Uses this login instead of any saved one.
    pub(super) fn ask_with(&self, login: Login) {
        // This is called at most once.
        let _ = self.given.set(login);
    }

    /// Sends a request about `repository`; `path` is relative to the server's origin, or a URL. A denied request is
    /// an error; other statuses are returned.
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
            let by = said.map_or("no login was found".to_owned(), |said| said.by);
            let status = format!("{}; {by}", reply.answer.status_line);
            let (registry, path) = (self.registry.clone(), self.place(repository));
            return Err(RegistryError::Denied { registry, path, status });
        }
        if reply.answer.is_encoded {
            return Err(self.unavailable(repository, "the response has a content encoding"));
        }
        if (200..300).contains(&status) && reply.answer.kind.as_deref() == Some("text/html") {
            let problem = "the server returned an HTML page instead of a registry response";
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
            200 if reply.answer.kind.as_deref() == Some("text/html") => Err(self.unavailable(
                "",
                "the server returned an HTML page instead of a registry response",
            )),
            200 | 401 | 403 => Ok(()),
            404 => Err(RegistryError::NoRegistry { address: format!("oci://{}", self.host) }),
            _ => Err(self.unavailable("", &reply.answer.status_line)),
        }
    }

    /// Returns the token server of this registry, if it is another server that does not receive logins without being
    /// recorded.
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

    /// Whether the server accepts the login.
    pub(super) fn check_login(&self, meter: &Meter) -> Result<(), RegistryError> {
        let reply = self.ask("", "GET", "/v2/", Vec::new(), WebBody::None, meter)?;
        match reply.answer.status {
            200 => Ok(()),
            _ => Err(self.unexpected("", &reply)),
        }
    }

    /// Reads a whole response.
    pub(super) fn read(&self, repository: &str, reply: WebReply) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        match reply.answer.bytes.take(LONGEST + 1).read_to_end(&mut bytes) {
            Ok(length) if length as u64 > LONGEST => Err(self.unavailable(
                repository,
                &format!("the response is larger than {} MiB", LONGEST >> 20),
            )),
            Ok(_) => Ok(bytes),
            Err(error) => {
                Err(self.unavailable(repository, &format!("the transfer was interrupted: {error}")))
            }
        }
    }

    /// The error for a response with an unexpected status.
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

    /// Resolves `reference` from a response of this server; `None` if it leads from an encrypted server to an
    /// unencrypted one.
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
            // A server behind a reverse proxy with TLS may not know its own scheme.
            _ => {
                let own = format!("http://{}/", self.host);
                reference.strip_prefix(&own).map(|path| format!("{origin}/{path}"))
            }
        })
    }

    /// Whether a URL belongs to this server.
    pub(super) fn is_own(&self, url: &str, meter: &Meter) -> Result<bool, RegistryError> {
        let rest = url.strip_prefix(self.origin(meter)?);
        Ok(rest.is_some_and(|rest| rest.starts_with('/')))
    }

    fn place(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.host)
    }

    /// Scheme and host. Only this machine may be contacted without encryption, and only if it answers that way.
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
        // Other servers do not receive the authorization.
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
        let by = |login: &Login| format!("used the login from {}", login.from);
        match (challenge, login) {
            // A login that is already a token is sent as is.
            (Challenge::Basic, login) => {
                Ok(login.map(|login| Said { header: login.header(), by: by(&login) }))
            }
            (Challenge::Bearer { .. }, Some(login)) if !login.is_basic() => {
                Ok(Some(Said { header: login.header(), by: by(&login) }))
            }
            (Challenge::Bearer { realm, service, scope }, login) => {
                let mut by = login.as_ref().map_or("used no login".to_owned(), by);
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
                        "the login from {} was not sent to the token server {at}, which `wake login` has not recorded for it",
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
            return Err(
                self.unavailable(repository, "the connection to its token server is not encrypted")
            );
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
        let path = format!("{}, token server {at}", self.place(repository));
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
        // The parser's message may quote the contents.
        let token = serde_json::from_slice::<Token>(&self.read(repository, reply)?).ok();
        let token = token.and_then(|token| token.token);
        let is_token = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        token.filter(is_token).ok_or_else(|| {
            self.unavailable(repository, &format!("token server {at} returned no token"))
        })
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

/// Whether the token server at `realm` may receive the login for `host`: it is the same host, or shares its last two
/// labels.
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
    fn a_login_is_for_its_host_and_token_server() {
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
