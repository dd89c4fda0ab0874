//! Downloads from other machines: documents, and archives that may be interrupted.

use std::io::Read;
use std::path::{Path, PathBuf};

use wake_store::ware::{Meter, Portion, Web, WebError, without_secrets};

use crate::error::AssetError;

/// The most bytes in a document.
const LONGEST: u64 = 64 << 20;

/// An archive being downloaded.
pub(crate) struct Incoming {
    pub(crate) bytes: Box<dyn Read + Send>,
    /// The offset of the first byte.
    pub(crate) from: u64,
    /// The total size including the offset, if known.
    pub(crate) size: Option<u64>,
}

/// Requests a file from offset `from`, if the server supports that; none if it does not exist.
pub(crate) fn web_file(
    web: &Web,
    url: &str,
    from: u64,
    meter: &Meter,
) -> Result<Option<Incoming>, AssetError> {
    let network =
        |problem: String| AssetError::Network { place: without_secrets(url).into_owned(), problem };
    let portion = Portion { from, ..Portion::default() };
    let answer = web.get_patiently(url, &portion, meter).map_err(|error| match error {
        WebError::Cancelled => AssetError::Cancelled,
        error => network(error.to_string()),
    })?;
    match (answer.status, answer.from) {
        (200, _) => Ok(Some(Incoming { size: answer.size, bytes: answer.bytes, from: 0 })),
        (206, Some(from)) => {
            let size = answer.size.map(|size| from + size);
            Ok(Some(Incoming { bytes: answer.bytes, from, size }))
        }
        (404 | 410, _) => Ok(None),
        // The file ends at or before the offset.
        (416, _) if from > 0 => web_file(web, url, 0, meter),
        _ => Err(network(answer.status_line)),
    }
}

/// Reads a document from `place`, up to the size limit.
pub(crate) fn document_bytes(place: &str, bytes: impl Read) -> Result<Vec<u8>, AssetError> {
    let network = |problem: String| AssetError::Network { place: place.to_owned(), problem };
    let mut read = Vec::new();
    let length = bytes.take(LONGEST + 1).read_to_end(&mut read);
    match length {
        Ok(length) if length as u64 > LONGEST => {
            Err(network(format!("more than {} MiB received", LONGEST >> 20)))
        }
        Ok(_) => Ok(read),
        Err(error) => Err(network(format!("the transfer was interrupted: {error}"))),
    }
}

/// Percent-encodes a path for a URL. Source: RFC 3986, 2.3.
pub(crate) fn escaped(path: &str) -> String {
    let one = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.bytes().map(one).collect()
}

/// The path of a partial download.
pub(crate) fn partial(own: &Path, digest: &str) -> PathBuf {
    own.join("partial").join(digest)
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_path_is_percent_encoded() {
        assert_eq!(escaped("4e88/a__b c+é.tgz"), "4e88/a__b%20c%2B%C3%A9.tgz");
    }
}
