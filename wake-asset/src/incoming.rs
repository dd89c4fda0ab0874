//! What comes from other machines: documents, and archives that may break off.

use std::io::Read;
use std::path::{Path, PathBuf};

use wake_store::ware::{Meter, Portion, Web, WebError, without_secrets};

use crate::error::AssetError;

/// Bytes of a document at most.
const LONGEST: u64 = 64 << 20;

/// An archive on its way.
pub(crate) struct Incoming {
    pub(crate) bytes: Box<dyn Read + Send>,
    /// How many come before the first one.
    pub(crate) from: u64,
    /// How many there are with those, where that is said.
    pub(crate) size: Option<u64>,
}

/// A file by its address, from so many bytes on where that can be; none if it is not there.
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
        // There is nothing behind what came before.
        (416, _) if from > 0 => web_file(web, url, 0, meter),
        _ => Err(network(answer.status_line)),
    }
}

/// All that comes from `place`, if that is no more than a document may have.
pub(crate) fn document_bytes(place: &str, bytes: impl Read) -> Result<Vec<u8>, AssetError> {
    let network = |problem: String| AssetError::Network { place: place.to_owned(), problem };
    let mut read = Vec::new();
    let length = bytes.take(LONGEST + 1).read_to_end(&mut read);
    match length {
        Ok(length) if length as u64 > LONGEST => {
            Err(network(format!("more than {} MiB come", LONGEST >> 20)))
        }
        Ok(_) => Ok(read),
        Err(error) => Err(network(format!("it broke off: {error}"))),
    }
}

/// A path in an address. Source: RFC 3986, 2.3.
pub(crate) fn escaped(path: &str) -> String {
    let one = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.bytes().map(one).collect()
}

/// Where what came of an archive is kept until it is whole.
pub(crate) fn partial(own: &Path, digest: &str) -> PathBuf {
    own.join("partial").join(digest)
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_path_in_an_address_has_no_other_characters() {
        assert_eq!(escaped("4e88/a__b c+é.tgz"), "4e88/a__b%20c%2B%C3%A9.tgz");
    }
}
