//! Asks other machines over HTTP. What a server says is only a claim: whoever asks compares it.

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

/// The longest wait before a question is asked again, whatever a server says.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a question that failed is asked again, and how long to wait before that for the first time.
pub(super) const RETRIES: u32 = 5;
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(100);
/// How long a whole answer may take.
const WHOLE: Duration = Duration::from_secs(3600);

/// Other machines, as one route leads there. Connections are kept from one question to the next.
#[derive(Clone, Debug, Default)]
pub struct Web {
    route: Route,
    /// What each question for a file says of who asks.
    login: Option<Secret>,
    agents: Arc<Mutex<HashMap<Way, ureq::Agent>>>,
}

/// What an agent is made for: whether everything must be encrypted, and the proxy.
type Way = (bool, Option<String>);

/// What of a file is asked for; the default is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    /// Nothing where it still has this tag: then the answer is 304.
    pub unless: Option<String>,
    /// What follows so many bytes: then the answer is 206, of a server that can do that.
    pub from: u64,
    /// All of it after all, where it does not have this tag any more.
    pub same: Option<String>,
}

impl Portion {
    /// What is said of it beside the question. Source: RFC 9110, 13.1 and 14.2.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let Portion { unless, from, same } = self;
        let range = (*from > 0).then(|| ("range", format!("bytes={from}-")));
        let same = same.as_ref().filter(|_| *from > 0).map(|tag| ("if-range", tag.clone()));
        let unless = unless.as_ref().map(|tag| ("if-none-match", tag.clone()));
        unless.into_iter().chain(range).chain(same).collect()
    }
}

/// What a server answered.
pub struct WebAnswer {
    /// The status: 200, 304, 404 and the like.
    pub status: u16,
    /// The same with its name, as `404 Not Found`.
    pub status_line: String,
    /// The tag of this state of what was asked for: `ETag`.
    pub tag: Option<String>,
    /// What kind of bytes they are: `Content-Type`, without its parameters.
    pub kind: Option<String>,
    /// How many seconds to wait before asking again.
    pub retry_after: Option<u64>,
    /// Whether the bytes are encoded, though none of that was asked for.
    pub is_encoded: bool,
    /// The number of bytes, where the server says it.
    pub size: Option<u64>,
    /// How many bytes of the file come before the first one, where the answer is 206 and says so.
    pub from: Option<u64>,
    /// The bytes.
    pub bytes: Box<dyn Read + Send>,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// The server cannot be reached, or does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// Nobody who is believed vouches for the server, or nobody is believed.
    #[error("{0}")]
    Untrusted(String),
    /// A file that was to be sent cannot be read.
    #[error("`{}`: {problem}", path.display())]
    Unsent {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        problem: String,
    },
    /// Nothing leads to another machine.
    #[error("no other machine is asked")]
    Offline,
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Web {
    /// Other machines, as `route` leads there.
    pub fn new(route: Route) -> Web {
        Web { route, login: None, agents: Arc::default() }
    }

    /// The same, where each question for a file also says who asks: `Basic …` or `Bearer …`. Where a redirect leads it stays behind.
    pub fn saying(&self, login: Secret) -> Web {
        Web { login: Some(login), ..self.clone() }
    }

    /// Asks for a portion of what lies at `url`.
    ///
    /// Each step before the first byte may take as long as the route allows, the whole an hour; all of it ends at once when `meter` is stopped.
    pub fn get(&self, url: &str, portion: &Portion, meter: &Meter) -> Result<WebAnswer, WebError> {
        let (web, url, portion) = (self.clone(), url.to_owned(), portion.clone());
        let answer = unless_stopped(meter, move || web.ask(&url, &portion));
        let answer = answer.map_err(|_| WebError::Cancelled)??;
        let bytes = Box::new(Awaited::patient(answer.bytes, meter, self.route.patience()));
        Ok(WebAnswer { bytes, ..answer })
    }

    /// The same, asked again up to five times, with growing waits between, where the server says that another time may do, or cannot
    /// be reached.
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

    /// The way there.
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

/// What an answer says, with its bytes unread.
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

/// Who may vouch for servers: the authorities that `route` names, else those of the system.
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
                "there are no certificates of authorities in `{file}`, which `ca` in `config.toml` names"
            ));
        }
        found.certs.extend(more);
    }
    if found.certs.is_empty() {
        let place = route.authorities.as_ref().map_or_else(
            || {
                "on this system: install `ca-certificates`, or name a file of them in SSL_CERT_FILE"
                    .to_owned()
            },
            |file| format!("in `{}`, which SSL_CERT_FILE names", file.display()),
        );
        return Err(format!("there are no certificates of authorities {place}"));
    }
    let roots = found.certs.iter().map(|one| Certificate::from_der(one).to_owned());
    Ok(TlsConfig::builder().root_certs(RootCerts::from(roots.collect::<Vec<_>>())).build())
}

/// What went wrong, without the name of the library that says so.
pub(super) fn problem(error: &ureq::Error) -> WebError {
    let text = error.to_string();
    if let Some((_, why)) = text.split_once("invalid peer certificate: ") {
        return WebError::Untrusted(format!("its certificate is refused: {}", untrusted(why)));
    }
    WebError::Unreachable(match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::Io(source) => source.to_string(),
        ureq::Error::RequireHttpsOnly(to) => {
            format!("it leads to `{to}`, which is not encrypted, and that way is not taken")
        }
        _ => text,
    })
}

/// Why a certificate is refused, from how the library that looked at it says that.
fn untrusted(why: &str) -> String {
    // Where an authority of the system happens to have the name of the one that is missing, it is its signature that does not fit.
    let is_by_a_stranger = ["UnknownIssuer", "BadSignature", "UnsupportedSignatureAlgorithm"];
    if is_by_a_stranger.iter().any(|said| why.starts_with(said)) {
        return "no authority that is known vouches for it; authorities of your own can be named with `ca` in `config.toml`, or in \
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
        Some((name, _)) => format!("it is not for `{name}`"),
        None => why.to_owned(),
    }
}

/// Waits so long, unless `meter` is stopped.
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

/// An `https` address never leads to an unencrypted one, also not by a redirect. Where it leads, its proxy goes along.
fn agent(
    https_only: bool,
    proxy: Option<ureq::Proxy>,
    tls: TlsConfig,
    patience: Duration,
) -> ureq::Agent {
    ureq::Agent::config_builder()
        .https_only(https_only)
        // Also none must be said: a builder takes what it finds in the environment.
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
