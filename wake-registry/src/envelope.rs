//! Signed bytes in a DSSE envelope. Source: Dead Simple Signing Envelope 1.0, "protocol" and "envelope".

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use serde_json::json;
use wake_model::json::canonical;

use crate::key::{PublicKey, SecretKey};

/// A payload with its type and signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The payload type.
    pub kind: String,
    /// The payload.
    pub payload: Vec<u8>,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    /// The key id that the signer claims.
    key: String,
    bytes: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    payload: String,
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Deserialize)]
struct WrittenSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Signs bytes.
    pub(crate) fn sign(kind: &str, payload: Vec<u8>, key: &SecretKey) -> Envelope {
        let signature =
            Signature { key: key.public().id(), bytes: key.sign(&signed(kind, &payload)) };
        Envelope { kind: kind.to_owned(), payload, signatures: vec![signature] }
    }

    /// Parses an envelope; `None` if it is something else.
    pub(crate) fn parse(text: &str) -> Option<Envelope> {
        let Written { payload, payload_type, signatures } = serde_json::from_str(text).ok()?;
        let decode = |text: &str| STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok();
        let signature = |written: WrittenSignature| {
            Some(Signature { key: written.keyid, bytes: decode(&written.sig)? })
        };
        Some(Envelope {
            kind: payload_type,
            payload: decode(&payload)?,
            signatures: signatures.into_iter().map(signature).collect::<Option<_>>()?,
        })
    }

    /// Returns it as a line of canonical JSON, with the line feed.
    pub(crate) fn line(&self) -> String {
        let signature = |signature: &Signature| json!({ "keyid": signature.key, "sig": STANDARD.encode(&signature.bytes) });
        let signatures: Vec<_> = self.signatures.iter().map(signature).collect();
        let value = json!({
            "payload": STANDARD.encode(&self.payload),
            "payloadType": self.kind,
            "signatures": signatures,
        });
        canonical(&value) + "\n"
    }

    /// Returns the first of these keys that signed it.
    pub fn signer<'k>(&self, keys: &'k [PublicKey]) -> Option<&'k PublicKey> {
        let bytes = signed(&self.kind, &self.payload);
        let has_signed = |key: &&PublicKey| {
            self.signatures.iter().any(|signature| key.has_signed(&bytes, &signature.bytes))
        };
        keys.iter().find(has_signed)
    }

    /// The key ids that claim to have signed it.
    pub fn claimed(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| &*signature.key)
    }
}

/// The bytes that are signed. They include the type, so a payload of one type cannot pass for another.
fn signed(kind: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::key::tests::key_of_the_rfc;

    #[test]
    fn only_signed_content_is_returned() {
        let key = key_of_the_rfc();
        let keys = [SecretKey::generate().unwrap().public(), key.public()];
        let envelope = Envelope::sign("text/plain", b"hello".to_vec(), &key);
        let read = Envelope::parse(&envelope.line()).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(read.signer(&keys), Some(&keys[1]));
        assert_eq!(read.signer(&keys[..1]), None);
        assert_eq!(read.claimed().collect::<Vec<_>>(), ["21fe31dfa154a261"]);
        let altered = [
            Envelope { payload: b"hallo".to_vec(), ..envelope.clone() },
            Envelope { kind: "text/plai".to_owned(), ..envelope.clone() },
            Envelope { signatures: Vec::new(), ..envelope.clone() },
        ];
        for altered in altered {
            assert_eq!(altered.signer(&keys), None, "{altered:?}");
        }
        for text in ["", "{}", "[]", "{\"payload\":\"!\",\"payloadType\":\"\",\"signatures\":[]}"] {
            assert_eq!(Envelope::parse(text), None, "{text}");
        }
    }

    /// Source: the protocol of DSSE, "PAE" of its example.
    #[test]
    fn the_kind_is_signed_too() {
        let bytes = signed("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
