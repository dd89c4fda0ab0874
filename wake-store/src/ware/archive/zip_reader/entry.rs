//! An entry of the central directory and its extra fields.

use super::{malformed, u16_at, u32_at, u64_at};
use crate::ware::archive::ExtractError;
use crate::ware::node::{MAX_OWNER, Meta, Node, Timestamp};
use std::collections::BTreeMap;
use time::{Date, Month};

/// One entry of the central directory.
pub(super) struct ZipEntry {
    pub(super) name: Vec<u8>,
    pub(super) made_by: u8,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) dos_time: u16,
    pub(super) dos_date: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    pub(super) attributes: u32,
    pub(super) local_offset: u64,
    pub(super) extra: Vec<u8>,
    pub(super) place: u64,
}

impl ZipEntry {
    /// Takes the sizes and the offset from the zip64 extra field, if the fixed fields refer to it.
    pub(super) fn widen(&mut self) {
        let mut fields = self.fields().filter_map(Result::ok);
        let wide = fields.find(|(id, _)| *id == 0x0001).map(|(_, field)| field.to_vec());
        drop(fields);
        let wide = wide.unwrap_or_default();
        let mut wide = wide.as_slice();
        for field in [&mut self.size, &mut self.packed, &mut self.local_offset] {
            if *field == 0xffff_ffff && wide.len() >= 8 {
                *field = u64_at(wide, 0);
                wide = &wide[8..];
            }
        }
    }

    /// Returns its metadata, without its name.
    pub(super) fn meta(&self) -> Result<Meta, ExtractError> {
        let (kind, perms) = self.mode();
        let named_as_dir = self.name.ends_with(b"/");
        let node = match kind {
            0o040_000 => Node::Dir,
            0o100_000 if named_as_dir => Node::Dir,
            0o100_000 => Node::File { size: self.size },
            0o120_000 if !named_as_dir => Node::Symlink { target: String::new() },
            _ => return Err(malformed(self.place, "an entry is neither file, directory nor link")),
        };
        if self.size != 0 && node == Node::Dir {
            return Err(malformed(self.place, "a directory has content"));
        }
        let (uid, gid) = self.owner()?;
        if uid.max(gid) > MAX_OWNER {
            return Err(malformed(self.place, "an owner's number is out of range"));
        }
        Ok(Meta { node, perms, uid, gid, mtime: self.mtime()?, xattrs: BTreeMap::new() })
    }

    /// Returns its Unix file type and its permissions; both depend on the system that it was created on. Source: Go's
    /// `archive/zip`, which rio uses.
    fn mode(&self) -> (u32, u16) {
        const UNIX: [u8; 2] = [3, 19];
        const DOS: [u8; 3] = [0, 11, 14];
        const READ_ONLY: u32 = 0x01;
        const DIRECTORY: u32 = 0x10;
        let unix = self.attributes >> 16;
        let has = |bit: u32| self.attributes & bit != 0;
        match self.made_by {
            host if UNIX.contains(&host) => {
                let kind = unix & 0o170_000;
                let known = matches!(kind, 0o010_000 | 0o020_000 | 0o040_000 | 0o060_000)
                    || matches!(kind, 0o120_000 | 0o140_000);
                (if known { kind } else { 0o100_000 }, (unix & 0o7777) as u16)
            }
            host if DOS.contains(&host) => {
                let (kind, perms) =
                    if has(DIRECTORY) { (0o040_000, 0o777) } else { (0o100_000, 0o666) };
                (kind, if has(READ_ONLY) { perms & !0o222 } else { perms })
            }
            _ => (0o100_000, 0),
        }
    }

    /// If there are two fields of one kind, the last one counts.
    fn owner(&self) -> Result<(u32, u32), ExtractError> {
        let (mut new, mut old) = (None, None);
        for field in self.fields() {
            match field? {
                (0x7875, field) => new = Some(sized_owner(field)),
                (0x7855, field) if field.len() >= 4 => {
                    old = Some((u32::from(u16_at(field, 0)), u32::from(u16_at(field, 2))));
                }
                _ => {}
            }
        }
        match new {
            Some(owner) => {
                owner.ok_or_else(|| malformed(self.place, "an owner's number is malformed"))
            }
            None => Ok(old.unwrap_or((1000, 1000))),
        }
    }

    /// Returns the last time among the extra fields, else the DOS time interpreted as UTC.
    fn mtime(&self) -> Result<Timestamp, ExtractError> {
        let seconds = |seconds: u32| Timestamp { seconds: seconds.into(), nanos: 0 };
        let mut mtime = seconds(0);
        mtime.seconds = dos_seconds(self.dos_date, self.dos_time);
        for field in self.fields() {
            match field? {
                (0x5455, field) if field.len() >= 5 && field[0] & 1 != 0 => {
                    mtime = seconds(u32_at(field, 1));
                }
                // The old fields of Info-ZIP and PKWARE: access time, modification time.
                (0x000d | 0x5855, field) if field.len() >= 8 => mtime = seconds(u32_at(field, 4)),
                (0x000a, field) => mtime = ntfs_time(field).unwrap_or(mtime),
                _ => {}
            }
        }
        Ok(mtime)
    }

    /// Returns the extra fields; an error if one claims to be longer than the remaining space.
    pub(super) fn fields(&self) -> impl Iterator<Item = Result<(u16, &[u8]), ExtractError>> {
        let mut rest = self.extra.as_slice();
        std::iter::from_fn(move || {
            if rest.len() < 4 {
                return None;
            }
            let (id, size) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
            match rest.get(4..4 + size) {
                Some(field) => {
                    rest = &rest[4 + size..];
                    Some(Ok((id, field)))
                }
                None => {
                    rest = &[];
                    Some(Err(malformed(
                        self.place,
                        "an extra field is longer than the space for all of them",
                    )))
                }
            }
        })
    }
}

/// Parses user and group, each preceded by its length.
fn sized_owner(field: &[u8]) -> Option<(u32, u32)> {
    let sized = |field: &[u8]| -> Option<(u32, usize)> {
        let size = usize::from(*field.first()?);
        let bytes = field.get(1..1 + size).filter(|_| size <= 4)?;
        let id = bytes.iter().rev().fold(0u32, |id, byte| id << 8 | u32::from(*byte));
        Some((id, 1 + size))
    };
    let field = field.get(1..)?;
    let (uid, used) = sized(field)?;
    Some((uid, sized(&field[used..])?.0))
}

/// Parses the modification time in tenths of microseconds since 1601.
fn ntfs_time(field: &[u8]) -> Option<Timestamp> {
    const TICKS: i64 = 10_000_000;
    let mut rest = field.get(4..)?;
    let mut found = None;
    while rest.len() >= 4 {
        let (tag, size) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let attribute = rest.get(4..4 + size)?;
        if (tag, size) == (1, 24) {
            let ticks = u64_at(attribute, 0) as i64;
            let seconds = ticks.div_euclid(TICKS) - 11_644_473_600;
            found = Some(Timestamp { seconds, nanos: (ticks.rem_euclid(TICKS) * 100) as u32 });
        }
        rest = &rest[4 + size..];
    }
    found
}

/// Values that are too large for a month carry over into the next, and values that are too small borrow from the
/// previous one, as in Go.
fn dos_seconds(date: u16, time: u16) -> i64 {
    let months = (1980 + i32::from(date >> 9)) * 12 + i32::from(date >> 5 & 15) - 1;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let day = i64::from(date & 31);
    let (hour, minute, second) =
        (i64::from(time >> 11), i64::from(time >> 5 & 63), i64::from(time & 31) * 2);
    let first = Month::try_from(month as u8)
        .and_then(|month| Date::from_calendar_date(year, month, 1))
        .map_or(0, |first| first.midnight().assume_utc().unix_timestamp());
    first + (day - 1) * 86400 + hour * 3600 + minute * 60 + second
}
