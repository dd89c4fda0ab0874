//! A request as the bytes of a frame.

use std::io;
use std::sync::Arc;

use crate::Topic;

/// Bytes of text about others that a worker keeps; beyond it everything is forgotten and told again.
///
/// Parsed, they take eight times that. Both ends count alike. Where they differ all the same, something is asked or told
/// once more.
pub(crate) const KEPT: usize = 2 << 20;

/// What comes with a request, and the request itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Parts<'a> {
    /// Within an epoch the answers to questions stay the same; none: they may change.
    pub(crate) epoch: Option<u64>,
    /// What is told before anyone asks.
    pub(crate) told: Vec<(Topic, &'a str)>,
    /// The request as JSON.
    pub(crate) json: &'a [u8],
}

/// The bytes: epoch and what is told in the encoding of the `postcard` crate, then JSON.
pub(crate) fn encode(
    epoch: Option<u64>,
    told: &[(Topic, Arc<str>)],
    json: &[u8],
) -> io::Result<Vec<u8>> {
    let texts: usize = told.iter().map(|(_, text)| text.len() + 96).sum();
    let content = Vec::with_capacity(16 + texts + json.len());
    let mut content = postcard::to_extend(&(epoch, told), content).map_err(io::Error::other)?;
    content.extend_from_slice(json);
    Ok(content)
}

/// Takes them apart; none if they are malformed.
pub(crate) fn decode(content: &[u8]) -> Option<Parts<'_>> {
    let ((epoch, told), json) = postcard::take_from_bytes(content).ok()?;
    Some(Parts { epoch, told, json })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_arrives_with_what_is_told() {
        let told = [(Topic::Pkg("@a@1.0.0".into()), "{}"), (Topic::Module("{}".into()), "é")];
        let texts: Vec<_> =
            told.iter().map(|(topic, text)| (topic.clone(), Arc::from(*text))).collect();
        for epoch in [None, Some(u64::MAX)] {
            let content = encode(epoch, &texts, b"{}").unwrap();
            let parts = Parts { epoch, told: told.to_vec(), json: b"{}" };
            assert_eq!(decode(&content), Some(parts));
        }
        assert_eq!(decode(&[]), None);
    }
}
