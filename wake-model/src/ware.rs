//! Ware ids, `packtype:hash`: trees identified by their content as the Timeless Stack defines it.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{AsRefStr, Display, EnumString};

/// How a tree is packed, and the rule by which its id is computed.
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
    /// The Timeless `tar` ware. Its id does not cover links, devices and fifos; see `spec/wares.md`.
    Tar,
    /// The Timeless `zip` ware: the id rule of `tar`; read only.
    Zip,
    /// A git commit; read only.
    Git,
    /// The ware format of wake, a tar archive whose id covers every node.
    Tree,
}

fn unknown_pack_type(text: &str) -> ParseWareIdError {
    ParseWareIdError::UnknownPackType(text.to_owned())
}

/// The id of a packed tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WareId {
    packtype: PackType,
    hash: Option<String>,
}

impl WareId {
    /// Returns the id of the ware of `packtype` whose root node has this digest: SHA-384, in base58.
    pub fn new(packtype: PackType, digest: impl fmt::Display) -> Self {
        Self { packtype, hash: Some(digest.to_string()) }
    }

    /// Returns the id for packing a path that does not exist, such as `tar:-`.
    pub fn nothing(packtype: PackType) -> Self {
        Self { packtype, hash: None }
    }

    /// Returns the pack type.
    pub fn packtype(&self) -> PackType {
        self.packtype
    }

    /// Returns the part after the colon; `-` if nothing was packed.
    pub fn hash(&self) -> &str {
        self.hash.as_deref().unwrap_or("-")
    }

    /// Whether it is the id for packing a path that does not exist.
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
            // 48 bytes take at most 66 base58 digits; shorter ones are found by comparing hashes.
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

/// Whether `text` is base58 in the Bitcoin alphabet; the empty string is.
fn is_base58(text: &str) -> bool {
    bs58::decode(text).into_vec().is_ok()
}

/// Why a string is not a ware id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseWareIdError {
    /// There is no colon.
    #[error("ware id `{0}` has no colon: expected `packtype:hash`")]
    NoColon(String),
    /// The pack type is unknown.
    #[error("pack type `{0}` is unknown: expected `tar`, `tree`, `zip` or `git`")]
    UnknownPackType(String),
    /// The part after the colon is not a hash of this pack type.
    #[error("`{hash}` is not the hash of a `{packtype}` ware")]
    Hash {
        /// The pack type.
        packtype: PackType,
        /// The given hash.
        hash: String,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_ware_id_is_displayed_as_it_was_parsed() {
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
