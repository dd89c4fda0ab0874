//! The encoding of an outcome in a frame.

use std::borrow::Cow;
use std::io;

use serde_json::value::RawValue;

use crate::outcome::EvaluatedText;
use crate::{EvalError, Evaluated, Read};

/// The content of the frame: the text of a result, what was read and traced; or an error.
type Said<'a> = Result<(&'a str, Cow<'a, [Read]>, Cow<'a, [String]>), Cow<'a, EvalError>>;

/// Encodes an outcome.
pub(crate) fn encode(outcome: &Result<EvaluatedText, EvalError>) -> io::Result<Vec<u8>> {
    let room =
        outcome.as_ref().map_or(1 << 10, |said| 16 + said.text.len() + 96 * said.reads.len());
    let said: Said<'_> = match outcome {
        Ok(EvaluatedText { text, reads, trace }) => Ok((text, reads.into(), trace.into())),
        Err(error) => Err(Cow::Borrowed(error)),
    };
    super::encode(&said, room)
}

/// Decodes an outcome.
pub(crate) fn decode(content: &[u8]) -> io::Result<Result<Evaluated, EvalError>> {
    Ok(match super::decode::<Said<'_>>(content)? {
        Ok((text, reads, trace)) => {
            let value = RawValue::from_string(text.to_owned())?;
            Ok(Evaluated { value, reads: reads.into_owned(), trace: trace.into_owned() })
        }
        Err(error) => Err(error.into_owned()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wake_model::{BlobDigest, RelPath};

    use super::*;
    use crate::Kind;

    #[test]
    fn a_result_arrives_unchanged() {
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
            assert!(decode(&content[..cut]).is_err(), "truncated to {cut} bytes");
        }
    }

    #[test]
    fn an_error_arrives_unchanged() {
        let sent = EvalError::bare("//lib", Kind::User, "wrong".to_owned()).with_hint("right");
        let content = encode(&Err(sent.clone())).unwrap();
        assert_eq!(decode(&content).unwrap().unwrap_err(), sent);
    }
}
