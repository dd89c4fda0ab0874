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
/// An address that has something else, or cannot be reached, is passed over.
pub fn download(
    urls: &[String],
    sha256: Option<&str>,
    into: &Path,
    route: &Route,
    meter: &Meter,
) -> Result<String, DownloadError> {
    let web = Web::new(route.clone());
    let mut attempts = Vec::new();
    for url in urls {
        let problem = match web.get_patiently(url, &Portion::default(), meter) {
            Ok(answer) => match receive(answer, into)? {
                Ok((found, _)) if sha256.is_none_or(|sha256| sha256 == found) => return Ok(found),
                Ok((found, is_page)) => AttemptError::Mismatch { found, is_page },
                Err(_) if meter.is_stopped() => return Err(DownloadError::Cancelled),
                Err(problem) => problem,
            },
            Err(WebError::Cancelled) => return Err(DownloadError::Cancelled),
            Err(error) => AttemptError::Web(error),
        };
        attempts.push(Attempt { url: url.clone(), problem });
    }
    Err(DownloadError::Nowhere(attempts))
}

/// Writes an answer down; gives its digest, and whether it is said to be a web page.
fn receive(
    answer: WebAnswer,
    into: &Path,
) -> Result<Result<(String, bool), AttemptError>, DownloadError> {
    if answer.status != 200 {
        return Ok(Err(AttemptError::Refused(format!("HTTP status {}", answer.status_line))));
    }
    if answer.is_encoded {
        return Ok(Err(AttemptError::Refused("the answer is encoded".to_owned())));
    }
    let failed = |source| DownloadError::Io { path: into.to_owned(), source };
    let mut file = File::create(into).map_err(failed)?;
    let (mut bytes, mut hasher, mut piece) = (answer.bytes, Sha256::new(), vec![0; PIECE]);
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
    Ok(Ok((digest, answer.kind.as_deref() == Some("text/html"))))
}
