//! Downloads of files that are identified by their SHA-256.

use super::meter::Meter;
use super::route::Route;
use super::web::{Portion, Web, WebAnswer, WebError};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Why a file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The failures of all addresses, in order.
    #[error("{}", first(.0))]
    Nowhere(Vec<Attempt>),
    /// The received data could not be stored.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
}

/// The failure of one address.
#[derive(Debug)]
pub struct Attempt {
    /// The address.
    pub url: String,
    /// The reason.
    pub problem: AttemptError,
}

/// Why an address did not provide a file.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// There was no response.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The response contains no file.
    #[error("{0}")]
    Refused(String),
    /// It is another file.
    #[error("its SHA-256 is {found}{}", page(*.is_page))]
    Mismatch {
        /// The SHA-256 of what was received, in hexadecimal.
        found: String,
        /// Whether the server declares it to be a web page.
        is_page: bool,
    },
    /// The response ended early.
    #[error("the response ended early: {0}")]
    Broken(io::Error),
}

fn first(attempts: &[Attempt]) -> String {
    match attempts.first() {
        Some(Attempt { url, problem }) => format!("{url}: {problem}"),
        None => "no address was given".to_owned(),
    }
}

fn page(is_page: bool) -> &'static str {
    if is_page { ", and it is a web page" } else { "" }
}

/// Downloads the file with the SHA-256 `sha256`, in hexadecimal, to `into` from the first of `urls` that has it;
/// without a digest, whatever the first one provides. Returns the digest.
///
/// If there is a digest to verify them with, mirrors of an address are tried before it. An address that has another
/// file, or cannot be reached, is skipped.
pub fn download(
    urls: &[String],
    sha256: Option<&str>,
    into: &Path,
    route: &Route,
    meter: &Meter,
) -> Result<String, DownloadError> {
    let web = Web::new(route.clone());
    let mut attempts = Vec::new();
    let places: Vec<String> = match sha256 {
        Some(_) => urls.iter().flat_map(|url| route.addresses(url)).collect(),
        None => urls.to_vec(),
    };
    for url in places {
        let problem = match asked(&url, &web, meter, into)? {
            Ok((found, _)) if sha256.is_none_or(|sha256| sha256 == found) => return Ok(found),
            Ok((found, is_page)) => AttemptError::Mismatch { found, is_page },
            Err(_) if meter.is_stopped() => return Err(DownloadError::Cancelled),
            Err(problem) => problem,
        };
        attempts.push(Attempt { url, problem });
    }
    Err(DownloadError::Nowhere(attempts))
}

/// A received file: its digest, and whether it is declared to be a web page.
type Received = Result<(String, bool), AttemptError>;

/// Fetches from one address. A directory of this machine is not on the network, so it is available offline, too.
fn asked(url: &str, web: &Web, meter: &Meter, into: &Path) -> Result<Received, DownloadError> {
    if let Some(path) = url.strip_prefix("file://") {
        return local(Path::new(path), into);
    }
    match web.get_patiently(url, &Portion::default(), meter) {
        Ok(answer) => receive(answer, into),
        Err(WebError::Cancelled) => Err(DownloadError::Cancelled),
        Err(error) => Ok(Err(AttemptError::Web(error))),
    }
}

fn local(path: &Path, into: &Path) -> Result<Received, DownloadError> {
    let is_file = path.metadata().map(|stat| stat.is_file());
    match is_file.and_then(|is_file| is_file.then(|| File::open(path)).transpose()) {
        Ok(Some(file)) => Ok(written(file, into)?.map(|digest| (digest, false))),
        Ok(None) => Ok(Err(AttemptError::Refused("it is not a regular file".to_owned()))),
        Err(error) => Ok(Err(AttemptError::Refused(error.to_string()))),
    }
}

/// Stores the body of a response.
fn receive(answer: WebAnswer, into: &Path) -> Result<Received, DownloadError> {
    if answer.status != 200 {
        return Ok(Err(AttemptError::Refused(format!("HTTP status {}", answer.status_line))));
    }
    if answer.is_encoded {
        return Ok(Err(AttemptError::Refused("the response has a content encoding".to_owned())));
    }
    let is_page = answer.kind.as_deref() == Some("text/html");
    Ok(written(answer.bytes, into)?.map(|digest| (digest, is_page)))
}

/// Stores bytes; returns their digest.
fn written(
    mut bytes: impl Read,
    into: &Path,
) -> Result<Result<String, AttemptError>, DownloadError> {
    let failed = |source| DownloadError::Io { path: into.to_owned(), source };
    let mut file = File::create(into).map_err(failed)?;
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        let read = match bytes.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Err(AttemptError::Broken(error))),
        };
        hasher.update(&piece[..read]);
        file.write_all(&piece[..read]).map_err(failed)?;
    }
    let mut digest = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a string does not fail.
        let _ = write!(digest, "{byte:02x}");
    }
    Ok(Ok(digest))
}
