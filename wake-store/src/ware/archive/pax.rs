//! Extended headers of pax archives: `length key=value` records that override what the next header says.

use crate::ware::node::Timestamp;
use std::collections::BTreeMap;

/// Readers disagree about the content of a sparse file, so sparse files are refused.
pub(super) const SPARSE: &str = "a sparse file, which is not supported";

/// The contents of an extended header for the next entry.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) linkpath: Option<Vec<u8>>,
    pub(super) size: Option<i64>,
    pub(super) uid: Option<i64>,
    pub(super) gid: Option<i64>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

impl Pax {
    /// Parses all records; the error describes what is wrong with them.
    pub(super) fn parse(records: &[u8]) -> Result<Self, String> {
        let mut pax = Pax::default();
        let mut seen = Vec::new();
        for (key, value) in split(records)? {
            if seen.contains(&key) {
                return Err(format!("extended header repeats `{}`", key.escape_ascii()));
            }
            seen.push(key);
            if key.starts_with(b"GNU.sparse.") {
                return Err(SPARSE.to_owned());
            }
            pax.set(key, value).ok_or_else(|| {
                format!("extended header `{}` has an invalid value", key.escape_ascii())
            })?;
        }
        Ok(pax)
    }

    /// Checks a header that applies to all following entries. Such headers are ignored, so one that would change the
    /// name or the end of an entry is refused.
    pub(super) fn check_global(records: &[u8]) -> Result<(), String> {
        for (key, _) in split(records)? {
            if matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.") {
                return Err(format!("global extended header sets `{}`", key.escape_ascii()));
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let filled = || (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = Some(filled()?),
            b"linkpath" => self.linkpath = Some(filled()?),
            b"size" => self.size = Some(decimal(value)?),
            b"uid" => self.uid = Some(decimal(value)?),
            b"gid" => self.gid = Some(decimal(value)?),
            b"mtime" => self.mtime = Some(moment(value)?),
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    let name =
                        String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty())?;
                    self.xattrs.insert(name, value.to_vec());
                }
            }
        }
        Some(())
    }
}

/// A key and its value.
type PaxRecord<'a> = (&'a [u8], &'a [u8]);

fn split(mut records: &[u8]) -> Result<Vec<PaxRecord<'_>>, String> {
    let mut pairs = Vec::new();
    while !records.is_empty() {
        let (pair, rest) =
            split_first(records).ok_or("extended header is not a list of records")?;
        pairs.push(pair);
        records = rest;
    }
    Ok(pairs)
}

/// Returns the first record, `length key=value\n`, and the rest; `length` covers the whole record.
fn split_first(records: &[u8]) -> Option<(PaxRecord<'_>, &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&records[..space])?).ok()?;
    if length > records.len() || length < space + 4 {
        return None;
    }
    let (record, rest) = records.split_at(length);
    let body = record[space + 1..].strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    if equals == 0 || body[..equals].contains(&0) {
        return None;
    }
    Some(((&body[..equals], &body[equals + 1..]), rest))
}

/// Parses a number of decimal digits only.
fn decimal(text: &[u8]) -> Option<i64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Parses seconds since 1970, possibly negative and with a fraction, of which nine digits count.
fn moment(text: &[u8]) -> Option<Timestamp> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let dot = text.iter().position(|byte| *byte == b'.');
    let seconds = decimal(&text[..dot.unwrap_or(text.len())])?;
    let fraction = dot.map_or(&[][..], |dot| &text[dot + 1..]);
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos = (0..9).fold(0u32, |nanos, place| {
        nanos * 10 + fraction.get(place).map_or(0, |digit| u32::from(digit - b'0'))
    });
    Some(match (negative, nanos) {
        (false, _) => Timestamp { seconds, nanos },
        (true, 0) => Timestamp { seconds: -seconds, nanos },
        (true, _) => Timestamp { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        // The length decides where a record ends: a value may contain a newline.
        let records = b"12 path=a/b\n18 comment=x\nyzzz\n30 mtime=1350244992.023960108\n";
        let pax = Pax::parse(records).unwrap();
        assert_eq!(pax.path.unwrap(), b"a/b");
        assert_eq!(pax.mtime.unwrap(), Timestamp { seconds: 1_350_244_992, nanos: 23_960_108 });
    }

    #[test]
    fn x10_malformed_records_are_errors() {
        for bad in [
            &b"11 path=a/b\n"[..],
            b"13 path=a/b\n",
            b"path=a/b\n",
            b"9 path a\n",
            b"5 =a\n",
            b"10 path=\0a\n12 path=a/b\n",
            b"12 size=12x\n",
            b"11 size=-1\n",
            b"9999999999999999999 path=a\n",
        ] {
            assert!(Pax::parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn fractions_of_negative_times_count_upwards() {
        assert_eq!(moment(b"-1.5"), Some(Timestamp { seconds: -2, nanos: 500_000_000 }));
        assert_eq!(moment(b"-1"), Some(Timestamp { seconds: -1, nanos: 0 }));
        assert_eq!(moment(b"1.2.3"), None);
    }
}
