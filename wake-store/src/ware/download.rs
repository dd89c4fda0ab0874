//! Files of other machines that are known by the SHA-256 of their bytes.

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

/// Nobody gave the file.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// What each of the addresses came to, in their order.
    #[error("{}", first(.0))]
    Nowhere(Vec<Attempt>),
    /// What was received could not be kept.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// What one address came to.
#[derive(Debug)]
pub struct Attempt {
    /// The address.
    pub url: String,
    /// Why it did not give the file.
    pub problem: AttemptError,
}

/// Why an address did not give a file.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// There was no answer.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The answer is none that has a file.
    #[error("{0}")]
    Refused(String),
    /// It is another file.
    #[error("it has the SHA-256 {found}{}", page(*.is_page))]
    Mismatch {
        /// The digest of what came, in hexadecimal.
        found: String,
        /// Whether the server calls it a web page.
        is_page: bool,
    },
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Broken(io::Error),
}

fn first(attempts: &[Attempt]) -> String {
    match attempts.first() {
        Some(Attempt { url, problem }) => format!("{url}: {problem}"),
        None => "no address is named".to_owned(),
    }
}

fn page(is_page: bool) -> &'static str {
    if is_page { ", and is a web page" } else { "" }
}

/// Writes to `into` the file with the digest `sha256`, in hexadecimal, from the first of `urls` that has it; without a digest what
/// the first has, whatever it is. Gives the digest.
///
/// Mirrors of an address are asked before it, if there is a digest to compare with what they have. One that has something else, or
/// cannot be reached, is passed over.
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

/// A file that was received: its digest, and whether it is said to be a web page.
type Received = Result<(String, bool), AttemptError>;

/// Asks one address. A directory of this machine is none of another, so it is asked offline, too.
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
        Ok(None) => Ok(Err(AttemptError::Refused("it is no regular file".to_owned()))),
        Err(error) => Ok(Err(AttemptError::Refused(error.to_string()))),
    }
}

/// Writes an answer down.
fn receive(answer: WebAnswer, into: &Path) -> Result<Received, DownloadError> {
    if answer.status != 200 {
        return Ok(Err(AttemptError::Refused(format!("HTTP status {}", answer.status_line))));
    }
    if answer.is_encoded {
        return Ok(Err(AttemptError::Refused("the answer is encoded".to_owned())));
    }
    let is_page = answer.kind.as_deref() == Some("text/html");
    Ok(written(answer.bytes, into)?.map(|digest| (digest, is_page)))
}

/// Writes bytes down; gives their digest.
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
        // Writing to a text does not fail.
        let _ = write!(digest, "{byte:02x}");
    }
    Ok(Ok(digest))
}
