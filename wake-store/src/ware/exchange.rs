//! Questions to other machines that are more than asking for a file: with headers, and with bytes to send.

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

/// A question to another machine.
#[derive(Clone)]
pub struct WebRequest {
    /// `GET`, `HEAD`, `POST` or `PUT`.
    pub method: &'static str,
    /// Where it goes.
    pub url: String,
    /// What is said beside it.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent with it.
    pub body: WebBody,
}

/// The bytes that go with a question.
#[derive(Clone)]
pub enum WebBody {
    /// None.
    None,
    /// These.
    Bytes(Vec<u8>),
    /// Those of a file, read anew whenever they are sent.
    File {
        /// The file.
        path: PathBuf,
        /// How many bytes it has.
        size: u64,
    },
}

/// An answer, with all that was said beside it.
pub struct WebReply {
    /// The answer.
    pub answer: WebAnswer,
    headers: Vec<(String, String)>,
}

impl WebReply {
    /// What was said under a name, which is written in small letters; the first where several were.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(called, _)| called == name).map(|(_, value)| &**value)
    }

    /// All that was said under a name.
    pub fn headers<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.headers.iter().filter(move |(called, _)| called == name).map(|(_, value)| &**value)
    }
}

impl Web {
    /// Asks, up to five times more with growing waits between where the server says that another time may do or cannot be reached.
    /// It may be asked twice for one thing.
    ///
    /// Where a redirect leads to another machine, `authorization` stays behind. Each step before the first byte may take as long as the route allows.
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

    /// The same, asked once.
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
