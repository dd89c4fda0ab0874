//! The outcome of a request as the bytes of a frame.

use std::io;

use serde_json::value::RawValue;

use crate::outcome::EvaluatedText;
use crate::{EvalError, Evaluated, Read};

/// What a frame says first: whether there is a result, or what went wrong.
const RESULT: u8 = 0;
const ERROR: u8 = 1;

/// The bytes of an outcome: of a result, four bytes of length and its text, then what it read and traced; of an error, JSON.
pub(crate) fn encode(outcome: &Result<EvaluatedText, EvalError>) -> io::Result<Vec<u8>> {
    let EvaluatedText { text, reads, trace } = match outcome {
        Ok(evaluated) => evaluated,
        Err(error) => {
            let mut content = vec![ERROR];
            serde_json::to_writer(&mut content, error)?;
            return Ok(content);
        }
    };
    let length =
        u32::try_from(text.len()).map_err(|_| io::Error::other("a result is larger than 4 GiB"))?;
    let mut content = Vec::with_capacity(5 + text.len() + 96 * reads.len());
    content.push(RESULT);
    content.extend_from_slice(&length.to_le_bytes());
    content.extend_from_slice(text.as_bytes());
    postcard::to_io(&(reads, trace), content).map_err(io::Error::other)
}

/// The outcome that was encoded.
pub(crate) fn decode(content: &[u8]) -> io::Result<Result<Evaluated, EvalError>> {
    let malformed = || io::Error::other("an outcome is malformed");
    let (&kind, rest) = content.split_first().ok_or_else(malformed)?;
    if kind == ERROR {
        return Ok(Err(serde_json::from_slice(rest)?));
    }
    let (length, rest) = rest.split_first_chunk().ok_or_else(malformed)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (text, rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
    let text = std::str::from_utf8(text).map_err(io::Error::other)?;
    let value = RawValue::from_string(text.to_owned())?;
    let (reads, trace): (Vec<Read>, Vec<String>) =
        postcard::from_bytes(rest).map_err(io::Error::other)?;
    Ok(Ok(Evaluated { value, reads, trace }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wake_model::{BlobDigest, RelPath};

    use super::*;
    use crate::Kind;

    #[test]
    fn a_result_arrives_as_it_was_sent() {
        let path: RelPath = "a/b".parse().unwrap();
        let digest = Some(BlobDigest::of(b"seen"));
        let reads = vec![
            Read::File { path: path.clone(), digest },
            Read::List { path: RelPath::root(), digest },
            Read::List { path, digest: None },
            Read::Pkg { key: "@zlib@1.3.1".to_owned(), digest },
            Read::Module { id: "{}".to_owned(), digest: None },
        ];
        let text = r#"{"a":[1.5,"é"]}"#.to_owned();
        let sent = EvaluatedText { text, reads, trace: vec!["one".to_owned(), String::new()] };
        let content = encode(&Ok(sent.clone())).unwrap();
        let got = decode(&content).unwrap().unwrap();
        assert_eq!(got.value.get(), sent.text);
        assert_eq!((got.reads, got.trace), (sent.reads, sent.trace));
        for cut in 0..content.len() {
            assert!(decode(&content[..cut]).is_err(), "cut short to {cut} bytes");
        }
    }

    #[test]
    fn an_error_arrives_as_it_was_sent() {
        let sent = EvalError::bare("//lib", Kind::User, "wrong".to_owned()).with_hint("right");
        let content = encode(&Err(sent.clone())).unwrap();
        assert_eq!(decode(&content).unwrap().unwrap_err(), sent);
    }
}
