//! Names of wares, `packtype:hash`: trees known by what the Timeless Stack says is in them.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{AsRefStr, Display, EnumString};

/// How a tree is packed, and by which rule its id is computed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    AsRefStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[strum(parse_err_ty = ParseWareIdError, parse_err_fn = unknown_pack_type)]
pub enum PackType {
    /// The Timeless `tar` ware. Its id leaves out links, devices and fifos; see `spec/wares.md`.
    Tar,
    /// The Timeless `zip` ware: the same id rule as `tar`, read only.
    Zip,
    /// A git commit, unpack only.
    Git,
    /// Wake's own ware, in a tar archive; its id covers every node.
    Tree,
}

fn unknown_pack_type(text: &str) -> ParseWareIdError {
    ParseWareIdError::UnknownPackType(text.to_owned())
}

/// The identity of a tree that was packed by a pack type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WareId {
    packtype: PackType,
    hash: Option<String>,
}

impl WareId {
    /// The ware of `packtype` whose root node has this digest: SHA-384, printed in base58.
    pub fn new(packtype: PackType, digest: impl fmt::Display) -> Self {
        Self { packtype, hash: Some(digest.to_string()) }
    }

    /// What packing a path that does not exist gives; it prints as `tar:-`.
    pub fn nothing(packtype: PackType) -> Self {
        Self { packtype, hash: None }
    }

    /// How the ware is packed.
    pub fn packtype(&self) -> PackType {
        self.packtype
    }

    /// The part after the colon; `-` when nothing was packed.
    pub fn hash(&self) -> &str {
        self.hash.as_deref().unwrap_or("-")
    }

    /// Whether this is the result of packing a path that does not exist.
    pub fn is_nothing(&self) -> bool {
        self.hash.is_none()
    }
}

impl fmt::Display for WareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.packtype, self.hash())
    }
}

/// Splits at the first colon. Hashes of `tar`, `zip` and `tree` must be base58, those of `git` 40 hexadecimal digits.
impl FromStr for WareId {
    type Err = ParseWareIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (packtype, hash) =
            text.split_once(':').ok_or_else(|| ParseWareIdError::NoColon(text.to_owned()))?;
        let packtype: PackType = packtype.parse()?;
        if hash == "-" {
            return Ok(WareId::nothing(packtype));
        }
        let valid = match packtype {
            PackType::Git => {
                hash.len() == 40 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            }
            // 48 bytes take at most 66 base58 digits; the lower bound is left to the comparison of hashes.
            PackType::Tar | PackType::Zip | PackType::Tree => {
                !hash.is_empty() && hash.len() <= 66 && is_base58(hash)
            }
        };
        if !valid {
            return Err(ParseWareIdError::Hash { packtype, hash: hash.to_owned() });
        }
        Ok(WareId { packtype, hash: Some(hash.to_owned()) })
    }
}

impl Serialize for WareId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WareId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Whether `text` is written in base58 with the Bitcoin alphabet; the empty text is.
fn is_base58(text: &str) -> bool {
    bs58::decode(text).into_vec().is_ok()
}

/// Why a text is not a WareID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseWareIdError {
    /// There is no `packtype:`.
    #[error("ware id `{0}` has no colon: expected `packtype:hash`")]
    NoColon(String),
    /// The word before the colon is not a pack type.
    #[error("pack type `{0}` is unknown: expected `tar`, `tree`, `zip` or `git`")]
    UnknownPackType(String),
    /// The part after the colon cannot be a hash of this pack type.
    #[error("`{hash}` is not the hash of a `{packtype}` ware")]
    Hash {
        /// The pack type.
        packtype: PackType,
        /// What was given.
        hash: String,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_was_read() {
        for text in [
            "tar:6q7G4hWr",
            "tar:-",
            "tree:2Ab",
            "zip:z",
            "git:0123456789abcdef0123456789abcdef01234567",
        ] {
            assert_eq!(text.parse::<WareId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_ids_are_refused_with_their_text() {
        let message = |text: &str| text.parse::<WareId>().unwrap_err().to_string();
        assert_eq!(message("6q7G"), "ware id `6q7G` has no colon: expected `packtype:hash`");
        assert_eq!(
            message("rar:6q7G"),
            "pack type `rar` is unknown: expected `tar`, `tree`, `zip` or `git`"
        );
        assert_eq!(message("tar:6q7G:x"), "`6q7G:x` is not the hash of a `tar` ware");
        assert_eq!(message("tar:../../x"), "`../../x` is not the hash of a `tar` ware");
        assert_eq!(message("tar:"), "`` is not the hash of a `tar` ware");
        assert_eq!(message("git:HEAD"), "`HEAD` is not the hash of a `git` ware");
    }
}
