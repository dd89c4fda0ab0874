//! Values of the encoding as trees, so that tests can compare complete values.

use serde_json::Value;
use wake_model::Digest;
use wake_model::decode::{Decoder, Token};
use wake_model::encode::Encoder;

use crate::file::{digest, hex, text};

/// A complete value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenTree {
    None,
    Bool(bool),
    Uint(u64),
    Text(String),
    Bytes(Vec<u8>),
    Digest(Digest),
    List(Vec<TokenTree>),
    Record(Vec<(String, TokenTree)>),
}

impl TokenTree {
    /// Reads a value in the form of the vectors.
    pub(crate) fn of_vector(value: &Value) -> TokenTree {
        match value {
            Value::Null => return TokenTree::None,
            Value::Bool(truth) => return TokenTree::Bool(*truth),
            _ => {}
        }
        let (kind, content) = value.as_object().unwrap().iter().next().unwrap();
        let each = || content.as_array().unwrap().iter();
        match kind.as_str() {
            "uint" => TokenTree::Uint(text(content).parse().unwrap()),
            "text" => TokenTree::Text(text(content).to_owned()),
            "bytes" => TokenTree::Bytes(hex(content)),
            "digest" => TokenTree::Digest(digest(content)),
            "list" => TokenTree::List(each().map(TokenTree::of_vector).collect()),
            "record" => {
                let pair =
                    |pair: &Value| (text(&pair[0]).to_owned(), TokenTree::of_vector(&pair[1]));
                TokenTree::Record(each().map(pair).collect())
            }
            other => panic!("no kind of value: {other}"),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut Encoder::new(&mut bytes));
        bytes
    }

    /// Decodes the one value in `bytes`; `None` if they encode none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<TokenTree> {
        let mut decoder = Decoder::new(bytes);
        let value = TokenTree::read(&mut decoder)?;
        decoder.end().ok()?;
        Some(value)
    }

    fn write(&self, e: &mut Encoder<'_, Vec<u8>>) {
        match self {
            TokenTree::None => e.none(),
            TokenTree::Bool(truth) => e.bool(*truth),
            TokenTree::Uint(number) => e.uint(*number),
            TokenTree::Text(text) => e.text(text),
            TokenTree::Bytes(bytes) => e.bytes(bytes),
            TokenTree::Digest(digest) => e.digest(digest),
            TokenTree::List(values) => {
                e.list(values.len());
                values.iter().for_each(|value| value.write(e));
            }
            TokenTree::Record(fields) => {
                e.record(fields.len());
                for (name, value) in fields {
                    e.text(name);
                    value.write(e);
                }
            }
        }
    }

    fn read(decoder: &mut Decoder<'_>) -> Option<TokenTree> {
        Some(match decoder.token().ok()? {
            Token::None => TokenTree::None,
            Token::Bool(truth) => TokenTree::Bool(truth),
            Token::Uint(number) => TokenTree::Uint(number),
            Token::Text(text) => TokenTree::Text(text.to_owned()),
            Token::Bytes(bytes) => TokenTree::Bytes(bytes.to_vec()),
            Token::Digest(digest) => TokenTree::Digest(digest),
            Token::List(count) => {
                TokenTree::List((0..count).map(|_| Self::read(decoder)).collect::<Option<_>>()?)
            }
            Token::Record(count) => {
                let field = |_| match decoder.token() {
                    Ok(Token::Text(name)) => Some((name.to_owned(), Self::read(decoder)?)),
                    _ => None,
                };
                TokenTree::Record((0..count).map(field).collect::<Option<_>>()?)
            }
        })
    }
}
