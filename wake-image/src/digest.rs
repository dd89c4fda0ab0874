//! Digests of manifests, configurations and layers: SHA-256, which all registries support.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageDigest([u8; 32]);

/// A text that is not such a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an image digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
pub struct ParseImageDigestError(String);

impl ImageDigest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> ImageDigest {
        ImageDigest(Sha256::digest(bytes).into())
    }

    /// The digest that a hasher computed.
    pub(crate) fn finished(hasher: Sha256) -> ImageDigest {
        ImageDigest(hasher.finalize().into())
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", &self.hex()[..12])
    }
}

impl FromStr for ImageDigest {
    type Err = ParseImageDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseImageDigestError(text.escape_debug().take(128).collect());
        let digits = text.strip_prefix("sha256:").ok_or_else(wrong)?;
        let value = |digit: &u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let values: Option<Vec<u8>> = digits.as_bytes().iter().map(value).collect();
        let values = values.filter(|values| values.len() == 64).ok_or_else(wrong)?;
        let bytes: Vec<u8> = values.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        bytes.try_into().map(ImageDigest).map_err(|_| wrong())
    }
}

impl Serialize for ImageDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_digest_is_written_as_registries_write_it() {
        // Source: FIPS 180-2, B.1.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(ImageDigest::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse::<ImageDigest>().unwrap(), ImageDigest::of(b"abc"));
        for other in
            ["", "sha256:", "sha512:00", &abc.to_uppercase(), &abc[..70], &format!("{abc}0")]
        {
            assert!(other.parse::<ImageDigest>().is_err(), "{other}");
        }
    }
}
