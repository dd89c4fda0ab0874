//! HTTP requests. A server's response is only a claim: callers verify it.

use super::meter::Meter;
use super::policy::ArchivePolicy;
use super::route::Route;
use super::secrets::Secret;
use super::waiting::{Awaited, GLANCE, unless_stopped};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The longest wait before a retry, whatever a server says.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The number of retries, and the wait before the first one.
pub(super) const RETRIES: u32 = 5;
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The maximum duration of a whole response.
const WHOLE: Duration = Duration::from_secs(3600);

/// HTTP access with the settings of one route. Connections are kept between requests.
#[derive(Clone, Debug, Default)]
pub struct Web {
    route: Route,
    /// The `Authorization` header of each request for a file.
    login: Option<Secret>,
    agents: Arc<Mutex<HashMap<Way, ureq::Agent>>>,
}

/// The settings of an agent: whether everything must be encrypted, and the proxy.
type Way = (bool, Option<String>);

/// Which part of a file is requested; by default all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    /// Nothing if the file still has this ETag: then the status is 304.
    pub unless: Option<String>,
    /// What follows this many bytes: then the status is 206, if the server supports that.
    pub from: u64,
    /// All of it nevertheless, if it no longer has this ETag.
    pub same: Option<String>,
}

impl Portion {
    /// Returns the headers of the request. Source: RFC 9110, 13.1 and 14.2.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let Portion { unless, from, same } = self;
        let range = (*from > 0).then(|| ("range", format!("bytes={from}-")));
        let same = same.as_ref().filter(|_| *from > 0).map(|tag| ("if-range", tag.clone()));
        let unless = unless.as_ref().map(|tag| ("if-none-match", tag.clone()));
        unless.into_iter().chain(range).chain(same).collect()
    }
}

/// A server's response.
pub struct WebAnswer {
    /// The status: 200, 304, 404 and the like.
    pub status: u16,
    /// The status with its name, as `404 Not Found`.
    pub status_line: String,
    /// The `ETag` of the file's current state.
    pub tag: Option<String>,
    /// The `Content-Type`, without its parameters.
    pub kind: Option<String>,
    /// How many seconds to wait before retrying.
    pub retry_after: Option<u64>,
    /// Whether the body has a content encoding, although none was accepted.
    pub is_encoded: bool,
    /// The number of bytes, if the server provides it.
    pub size: Option<u64>,
    /// The offset of the first byte in the file, if the status is 206 and the server provides it.
    pub from: Option<u64>,
    /// The bytes.
    pub bytes: Box<dyn Read + Send>,
}

/// Why there was no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// The server cannot be reached, or does not respond.
    #[error("{0}")]
    Unreachable(String),
    /// The server's certificate is not trusted, or there are no trusted authorities.
    #[error("{0}")]
    Untrusted(String),
    /// A file that was to be sent cannot be read.
    #[error("`{}`: {problem}", path.display())]
    Unsent {
        /// The file.
        path: std::path::PathBuf,
        /// The system's error.
        problem: String,
    },
    /// Network access is disabled.
    #[error("network access is disabled (offline)")]
    Offline,
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
}

impl Web {
    /// Returns HTTP access with the settings of `route`.
    pub fn new(route: Route) -> Web {
        Web { route, login: None, agents: Arc::default() }
    }

    /// Returns the same with an `Authorization` header for each request for a file: `Basic …` or `Bearer …`. It is not
    /// sent on to redirect targets.
    pub fn saying(&self, login: Secret) -> Web {
        Web { login: Some(login), ..self.clone() }
    }

    /// Requests a portion of the file at `url`.
    ///
    /// Each step before the first byte may take as long as the route allows, the whole request an hour; all of it ends
    /// at once when `meter` is stopped.
    pub fn get(&self, url: &str, portion: &Portion, meter: &Meter) -> Result<WebAnswer, WebError> {
        let (web, url, portion) = (self.clone(), url.to_owned(), portion.clone());
        let answer = unless_stopped(meter, move || web.ask(&url, &portion));
        let answer = answer.map_err(|_| WebError::Cancelled)??;
        let bytes = Box::new(Awaited::patient(answer.bytes, meter, self.route.patience()));
        Ok(WebAnswer { bytes, ..answer })
    }

    /// As [`Web::get`], with up to five retries, with growing waits, if the server says that a later attempt may
    /// succeed, or cannot be reached.
    pub fn get_patiently(
        &self,
        url: &str,
        portion: &Portion,
        meter: &Meter,
    ) -> Result<WebAnswer, WebError> {
        let mut wait = FIRST_WAIT;
        for _ in 0..RETRIES {
            let after = match self.get(url, portion, meter) {
                Ok(answer) if matches!(answer.status, 408 | 429 | 500..) => answer.retry_after,
                Err(WebError::Unreachable(_)) => None,
                other => return other,
            };
            let asked = after.map_or(wait, Duration::from_secs);
            pause(asked.min(LONGEST_WAIT), meter)?;
            wait *= 2;
        }
        self.get(url, portion, meter)
    }

    fn ask(&self, url: &str, portion: &Portion) -> Result<WebAnswer, WebError> {
        let request = self.agent(url)?.get(url).header("accept-encoding", "identity");
        let headers = portion.headers().into_iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let request = match &self.login {
            Some(login) => request.header("authorization", login.reveal()),
            None => request,
        };
        let answer = request.call().map_err(|error| problem(&error))?;
        Ok(answered(answer))
    }

    /// Returns the network settings.
    pub fn route(&self) -> &Route {
        &self.route
    }

    pub(super) fn agent(&self, url: &str) -> Result<ureq::Agent, WebError> {
        if self.route.offline {
            return Err(WebError::Offline);
        }
        let is_encrypted = url.starts_with("https:");
        let proxy = self.route.proxy(url).map(str::to_owned);
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let way = (is_encrypted, proxy.clone());
        if let Some(agent) = agents.get(&way) {
            return Ok(agent.clone());
        }
        let proxy = proxy.as_deref().map(ureq::Proxy::new).transpose();
        let proxy = proxy.map_err(|error| WebError::Unreachable(format!("its proxy: {error}")))?;
        let tls = match is_encrypted {
            true => tls(&self.route).map_err(WebError::Untrusted)?,
            false => TlsConfig::default(),
        };
        let made = agent(is_encrypted, proxy, tls, self.route.patience());
        agents.insert(way, made.clone());
        Ok(made)
    }
}

/// Returns the response, with its body unread.
pub(super) fn answered(answer: ureq::http::Response<ureq::Body>) -> WebAnswer {
    let header = |name: &str| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
    let kind = header("content-type");
    let kind = kind.and_then(|kind| Some(kind.split(';').next()?.trim().to_ascii_lowercase()));
    let (status, tag) = (answer.status().as_u16(), header("etag"));
    let status_line = answer.status().to_string();
    let is_encoded = header("content-encoding").is_some_and(|how| how != "identity");
    let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
    let from = header("content-range").filter(|_| status == 206);
    let from = from.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    let body = answer.into_body();
    let size = body.content_length();
    let bytes = body.into_with_config().limit(ArchivePolicy::WARE.max_bytes).reader();
    let bytes = Box::new(bytes);
    WebAnswer { status, status_line, tag, kind, retry_after, is_encoded, size, from, bytes }
}

/// Returns the trusted certificate authorities: those of `route`, else those of the system.
fn tls(route: &Route) -> Result<TlsConfig, String> {
    let mut found = match &route.authorities {
        Some(file) => load_certs_from_paths(Some(file), None),
        None => load_native_certs(),
    };
    if let Some(file) = &route.more_authorities {
        let more = load_certs_from_paths(Some(file), None).certs;
        if more.is_empty() {
            let file = file.display();
            return Err(format!(
                "there are no CA certificates in `{file}`, which is `ca` in `config.toml`"
            ));
        }
        found.certs.extend(more);
    }
    if found.certs.is_empty() {
        let place = route.authorities.as_ref().map_or_else(
            || {
                "on this system: install `ca-certificates`, or set SSL_CERT_FILE to a file of them"
                    .to_owned()
            },
            |file| format!("in `{}`, which SSL_CERT_FILE names", file.display()),
        );
        return Err(format!("there are no CA certificates {place}"));
    }
    let roots = found.certs.iter().map(|one| Certificate::from_der(one).to_owned());
    Ok(TlsConfig::builder().root_certs(RootCerts::from(roots.collect::<Vec<_>>())).build())
}

/// Returns the error without the name of the library that reports it.
pub(super) fn problem(error: &ureq::Error) -> WebError {
    let text = error.to_string();
    if let Some((_, why)) = text.split_once("invalid peer certificate: ") {
        return WebError::Untrusted(format!("its certificate was rejected: {}", untrusted(why)));
    }
    WebError::Unreachable(match error {
        ureq::Error::Timeout(_) => "it did not respond in time".to_owned(),
        ureq::Error::Io(source) => source.to_string(),
        ureq::Error::RequireHttpsOnly(to) => {
            format!("it redirects to `{to}`, which is not encrypted and is not followed")
        }
        _ => text,
    })
}

/// Explains why a certificate was rejected, from the library's message.
fn untrusted(why: &str) -> String {
    // If an authority of the system happens to have the name of the missing one, the error is that the signature does
    // not match.
    let is_by_a_stranger = ["UnknownIssuer", "BadSignature", "UnsupportedSignatureAlgorithm"];
    if is_by_a_stranger.iter().any(|said| why.starts_with(said)) {
        return "it is not signed by a trusted authority; add your own with `ca` in `config.toml` or \
                SSL_CERT_FILE"
            .to_owned();
    }
    if why.starts_with("certificate expired") {
        return "it has expired".to_owned();
    }
    if why.starts_with("certificate not valid yet") {
        return "it is not valid yet; the clock of this machine may be wrong".to_owned();
    }
    let other_name = why.strip_prefix("certificate not valid for name \"");
    match other_name.and_then(|rest| rest.split_once('"')) {
        Some((name, _)) => format!("it is not valid for `{name}`"),
        None => why.to_owned(),
    }
}

/// Waits for `length`, unless `meter` is stopped.
pub fn pause(length: Duration, meter: &Meter) -> Result<(), WebError> {
    let glances = length.as_millis().div_ceil(GLANCE.as_millis());
    for _ in 0..glances {
        if meter.is_stopped() {
            return Err(WebError::Cancelled);
        }
        thread::sleep(GLANCE);
    }
    Ok(())
}

/// An `https` address never leads to an unencrypted one, not even by a redirect. Redirects use the same proxy.
fn agent(
    https_only: bool,
    proxy: Option<ureq::Proxy>,
    tls: TlsConfig,
    patience: Duration,
) -> ureq::Agent {
    ureq::Agent::config_builder()
        .https_only(https_only)
        // The absence of a proxy must be set, too: a builder uses what it finds in the environment.
        .proxy(proxy)
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(5)
        .timeout_connect(Some(patience))
        .timeout_send_request(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_recv_body(Some(WHOLE))
        .build()
        .into()
}
