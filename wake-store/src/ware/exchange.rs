//! HTTP requests beyond fetching a file: with headers, and with a body.

use super::meter::Meter;
use super::waiting::{Awaited, unless_stopped};
use super::web::{
    FIRST_WAIT, LONGEST_WAIT, RETRIES, Web, WebAnswer, WebError, answered, pause, problem,
};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Request;
use ureq::{AsSendBody, SendBody};

/// An HTTP request.
#[derive(Clone)]
pub struct WebRequest {
    /// `GET`, `HEAD`, `POST` or `PUT`.
    pub method: &'static str,
    /// Its URL.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: WebBody,
}

/// The body of a request.
#[derive(Clone)]
pub enum WebBody {
    /// None.
    None,
    /// These bytes.
    Bytes(Vec<u8>),
    /// The content of a file, read again each time it is sent.
    File {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
}

/// A response with its headers.
pub struct WebReply {
    /// The response.
    pub answer: WebAnswer,
    headers: Vec<(String, String)>,
}

impl WebReply {
    /// Returns the header with this lower-case name; the first one if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(called, _)| called == name).map(|(_, value)| &**value)
    }

    /// Returns all headers with this name.
    pub fn headers<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.headers.iter().filter(move |(called, _)| called == name).map(|(_, value)| &**value)
    }
}

impl Web {
    /// Sends the request, and retries up to five times, with growing waits, if the server says that a later attempt may
    /// succeed or cannot be reached. It may be carried out twice.
    ///
    /// If a redirect leads to another machine, `authorization` is not sent there. Each step before the first byte may
    /// take as long as the route allows.
    pub fn exchange(&self, request: &WebRequest, meter: &Meter) -> Result<WebReply, WebError> {
        let mut wait = FIRST_WAIT;
        for _ in 0..RETRIES {
            let after = match self.exchange_once(request, meter) {
                Ok(reply) if matches!(reply.answer.status, 408 | 429 | 500..) => {
                    reply.answer.retry_after
                }
                Err(WebError::Unreachable(_)) => None,
                other => return other,
            };
            pause(after.map_or(wait, Duration::from_secs).min(LONGEST_WAIT), meter)?;
            wait *= 2;
        }
        self.exchange_once(request, meter)
    }

    /// Sends the request without retries.
    pub fn exchange_once(&self, request: &WebRequest, meter: &Meter) -> Result<WebReply, WebError> {
        let (web, request) = (self.clone(), request.clone());
        let reply = unless_stopped(meter, move || web.carry(&request));
        let WebReply { answer, headers } = reply.map_err(|_| WebError::Cancelled)??;
        let bytes = Box::new(Awaited::patient(answer.bytes, meter, self.route().patience()));
        Ok(WebReply { answer: WebAnswer { bytes, ..answer }, headers })
    }

    fn carry(&self, request: &WebRequest) -> Result<WebReply, WebError> {
        let agent = self.agent(&request.url)?;
        let question = Request::builder().method(request.method).uri(&request.url);
        let question = question.header("accept-encoding", "identity");
        let headers = request.headers.iter();
        let question = headers.fold(question, |asked, (name, value)| asked.header(*name, value));
        let answer = match &request.body {
            WebBody::None if matches!(request.method, "POST" | "PUT") => {
                run(&agent, question.header("content-length", "0"), ())
            }
            WebBody::None => run(&agent, question, ()),
            WebBody::Bytes(bytes) => {
                sent(&agent, question, Cursor::new(bytes.clone()), bytes.len() as u64)
            }
            WebBody::File { path, size } => {
                let unread =
                    |error| WebError::Unsent { path: path.clone(), problem: format!("{error}") };
                sent(&agent, question, File::open(path).map_err(unread)?, *size)
            }
        }?;
        let named = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = answer.headers().iter().filter_map(named).collect();
        Ok(WebReply { answer: answered(answer), headers })
    }
}

fn sent(
    agent: &ureq::Agent,
    question: ureq::http::request::Builder,
    from: impl Read + 'static,
    size: u64,
) -> Result<ureq::http::Response<ureq::Body>, WebError> {
    let body = SendBody::from_owned_reader(from);
    run(agent, question.header("content-length", size.to_string()), body)
}

fn run(
    agent: &ureq::Agent,
    question: ureq::http::request::Builder,
    body: impl AsSendBody,
) -> Result<ureq::http::Response<ureq::Body>, WebError> {
    let question = question.body(body).map_err(|error| WebError::Unreachable(error.to_string()))?;
    agent.run(question).map_err(|error| problem(&error))
}
