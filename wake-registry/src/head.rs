//! The head of a signed registry: its lists, until when they are valid, and who signed them. Source:
//! `spec/packages.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wake_model::json::canonical;
use wake_model::{BlobDigest, Name};

use crate::envelope::Envelope;
use crate::key::{PublicKey, SecretKey};

/// The payload type of a signed head.
const KIND: &str = "application/vnd.wake.head.v1+json";
/// The format version that this crate writes.
const FORM: u32 = 1;
/// How far the local clock may be behind the signer's, in seconds.
const TOLERANCE: u64 = 86_400;
/// How long a head is valid by default, in seconds.
pub const HOLDS: u64 = 90 * 86_400;

/// The state of a registry at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// When it was signed, in seconds since 1970.
    pub at: u64,
    /// When it expires.
    pub expires: u64,
    /// The list of each namespace; `_` stands for packages without one.
    pub(crate) lists: BTreeMap<String, Sum>,
    /// Its serial number, which grows with each head.
    pub serial: u64,
    wake: u32,
}

/// Bytes, by their number and BLAKE3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) bytes: u64,
    pub(crate) hash: BlobDigest,
}

impl Sum {
    /// Whether `bytes` start with these.
    pub(crate) fn is_beginning_of(&self, bytes: &[u8]) -> bool {
        let length = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        bytes.get(..length).is_some_and(|beginning| BlobDigest::of(beginning) == self.hash)
    }
}

/// A line of a namespace's list.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ListLine {
    pub(crate) name: Name,
    #[serde(flatten)]
    pub(crate) log: Sum,
}

/// Why a head is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    /// It is missing.
    #[error("it is missing, but a registry with `keys` must be signed")]
    Absent,
    /// It is not a head.
    #[error("it is not a signed registry head")]
    Form,
    /// Its format is only known to later versions of wake.
    #[error("it has format version {0}, but this wake supports version {FORM}")]
    Later(u64),
    /// It is signed by another key.
    #[error("it is signed by {0}, which is not a key of this registry")]
    OtherKey(String),
    /// Its signature is invalid.
    #[error("its signature is invalid")]
    Forged,
    /// It has expired.
    #[error("it expired at {0} and was not signed again")]
    Expired(String),
    /// The local clock must be wrong.
    #[error("it was signed at {at}, but the local clock says {now}")]
    Clock {
        /// When it was signed.
        at: String,
        /// The local time.
        now: String,
    },
    /// A later one was seen before.
    #[error("its serial is {now}, but serial {before} was seen before")]
    WentBack {
        /// The serial that was seen.
        before: u64,
        /// The serial that it has.
        now: u64,
    },
    /// There are two with the same serial.
    #[error("two different heads have serial {0}")]
    Two(u64),
}

impl Head {
    /// The head after `before`, with these lists.
    pub(crate) fn after(
        before: Option<&Head>,
        lists: BTreeMap<String, Sum>,
        now: u64,
        holds: u64,
    ) -> Head {
        let at = before.map_or(now, |before| before.at.max(now));
        let serial = before.map_or(1, |before| before.serial + 1);
        Head { at, expires: at.saturating_add(holds), lists, serial, wake: FORM }
    }

    /// The text of its file.
    pub(crate) fn sign(&self, key: &SecretKey) -> String {
        // Numbers and strings can always be written as JSON.
        let value = serde_json::to_value(self).unwrap_or_default();
        Envelope::sign(KIND, canonical(&value).into_bytes(), key).line()
    }

    /// Parses and verifies its file; returns the key that signed it.
    pub(crate) fn parse<'k>(
        text: &str,
        keys: &'k [PublicKey],
    ) -> Result<(Head, &'k PublicKey), HeadFault> {
        let envelope = Envelope::parse(text.trim_end_matches('\n')).ok_or(HeadFault::Form)?;
        if envelope.kind != KIND {
            return Err(HeadFault::Form);
        }
        let Some(key) = envelope.signer(keys) else {
            let known: Vec<String> = keys.iter().map(PublicKey::id).collect();
            let other = envelope.claimed().find(|id| !known.iter().any(|known| known == id));
            return Err(match other {
                Some(id) => {
                    HeadFault::OtherKey(id.chars().take(64).flat_map(char::escape_debug).collect())
                }
                None => HeadFault::Forged,
            });
        };
        Ok((Head::read(&envelope.payload)?, key))
    }

    /// Parses a head and its signatures without verifying anything.
    pub(crate) fn unproven(text: &str) -> Option<(Head, Envelope)> {
        let envelope = Envelope::parse(text.trim_end_matches('\n'))?;
        Some((Head::read(&envelope.payload).ok()?, envelope))
    }

    fn read(payload: &[u8]) -> Result<Head, HeadFault> {
        let value: serde_json::Value =
            serde_json::from_slice(payload).map_err(|_| HeadFault::Form)?;
        if let Some(form) = value["wake"].as_u64().filter(|form| *form != u64::from(FORM)) {
            return Err(HeadFault::Later(form));
        }
        serde_json::from_value(value).map_err(|_| HeadFault::Form)
    }

    /// Checks that it is valid at `now`.
    pub(crate) fn check_time(&self, now: u64) -> Result<(), HeadFault> {
        if now.saturating_add(TOLERANCE) < self.at {
            return Err(HeadFault::Clock { at: shown(self.at), now: shown(now) });
        }
        if now > self.expires {
            return Err(HeadFault::Expired(shown(self.expires)));
        }
        Ok(())
    }

    /// Checks that it may follow one that was seen before.
    pub(crate) fn check_order(&self, before: &Head) -> Result<(), HeadFault> {
        if self.serial < before.serial {
            return Err(HeadFault::WentBack { before: before.serial, now: self.serial });
        }
        if self.serial == before.serial && self != before {
            return Err(HeadFault::Two(self.serial));
        }
        Ok(())
    }
}

/// A human-readable time: `2026-11-30 21:06 UTC`.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn shown(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest % 3600 / 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::key::tests::key_of_the_rfc;

    fn head(serial: u64) -> Head {
        let sum = Sum { bytes: 3, hash: BlobDigest::of(b"abc") };
        let lists = BTreeMap::from([("acme".to_owned(), sum)]);
        Head { at: 1_764_547_200, expires: 1_764_547_200 + HOLDS, lists, serial, wake: FORM }
    }

    /// The vector computed by `spec/reference/wake_encoding.py`.
    #[test]
    fn a_head_is_the_one_of_the_specification() {
        let text = include_str!("../../spec/vectors/head.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let head: Head = serde_json::from_value(case["head"].clone()).unwrap();
            let line = case["line"].as_str().unwrap().to_owned() + "\n";
            assert_eq!(head.sign(&key_of_the_rfc()), line);
            let keys = [key_of_the_rfc().public()];
            assert_eq!(Head::parse(&line, &keys), Ok((head, &keys[0])));
        }
    }

    #[test]
    fn n5_an_expired_or_older_head_is_refused() {
        let now = head(1).at;
        assert_eq!(head(1).check_time(now), Ok(()));
        assert_eq!(head(1).check_time(now - TOLERANCE), Ok(()));
        let early = head(1).check_time(now - TOLERANCE - 60).unwrap_err();
        assert_eq!(
            early.to_string(),
            "it was signed at 2025-12-01 00:00 UTC, but the local clock says 2025-11-29 23:59 UTC"
        );
        assert_eq!(head(1).check_time(now + HOLDS), Ok(()));
        let late = head(1).check_time(now + HOLDS + 1).unwrap_err();
        assert_eq!(late.to_string(), "it expired at 2026-03-01 00:00 UTC and was not signed again");
        assert_eq!(head(2).check_order(&head(1)), Ok(()));
        assert_eq!(head(2).check_order(&head(2)), Ok(()));
        assert_eq!(head(1).check_order(&head(2)), Err(HeadFault::WentBack { before: 2, now: 1 }));
        let other = Head { expires: 0, ..head(2) };
        assert_eq!(other.check_order(&head(2)), Err(HeadFault::Two(2)));
        let next = Head::after(Some(&head(7)), BTreeMap::new(), 5, 10);
        assert_eq!((next.serial, next.at, next.expires), (8, now, now + 10));
    }

    #[test]
    fn n8_a_head_must_be_signed_by_a_registry_key() {
        let ours = key_of_the_rfc();
        let theirs = SecretKey::generate().unwrap();
        let keys = [ours.public()];
        let fault = |text: &str| Head::parse(text, &keys).err();
        assert_eq!(fault(&head(1).sign(&ours)), None);
        let foreign = head(1).sign(&theirs);
        assert_eq!(fault(&foreign), Some(HeadFault::OtherKey(theirs.public().id())));
        let forged = foreign.replace(&theirs.public().id(), &ours.public().id());
        assert_eq!(fault(&forged), Some(HeadFault::Forged));
        assert_eq!(fault("<html>"), Some(HeadFault::Form));
        let statement = Envelope::sign("application/vnd.in-toto+json", b"{}".to_vec(), &ours);
        assert_eq!(fault(&statement.line()), Some(HeadFault::Form));
        let later = Envelope::sign(KIND, b"{\"wake\":2}".to_vec(), &ours);
        assert_eq!(fault(&later.line()), Some(HeadFault::Later(2)));
    }
}
