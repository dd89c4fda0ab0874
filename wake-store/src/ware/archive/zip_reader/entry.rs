//! An entry of the central directory, and what its extra fields say.

use super::{malformed, u16_at, u32_at, u64_at};
use crate::ware::archive::ExtractError;
use crate::ware::node::{MAX_OWNER, Meta, Node, Timestamp};
use std::collections::BTreeMap;
use time::{Date, Month};

/// One entry, as the central directory has it.
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
    /// Takes the sizes and the place from the zip64 extra field where the fixed fields say so.
    pub(super) fn widen(&mut self) {
        let mut wide = extra_field(&self.extra, 0x0001).unwrap_or_default();
        for field in [&mut self.size, &mut self.packed, &mut self.local_offset] {
            if *field == 0xffff_ffff && wide.len() >= 8 {
                *field = u64_at(wide, 0);
                wide = &wide[8..];
            }
        }
    }

    /// What it describes, without its name.
    pub(super) fn meta(&self) -> Result<Meta, ExtractError> {
        /// Hosts of `version made by` that put Unix modes into the attributes: Unix and macOS.
        const UNIX_HOSTS: [u8; 2] = [3, 19];
        let named_as_dir = self.name.ends_with(b"/");
        let mode = (self.attributes >> 16) as u16;
        let unix = UNIX_HOSTS.contains(&self.made_by) && mode != 0;
        let file = Node::File { size: self.size };
        let (node, perms) = match (unix, mode & 0o170_000) {
            (false, _) if named_as_dir => (Node::Dir, 0o755),
            (false, _) => (file, 0o644),
            (true, 0o040_000) => (Node::Dir, mode & 0o7777),
            (true, 0o120_000) if !named_as_dir => {
                (Node::Symlink { target: String::new() }, mode & 0o7777)
            }
            (true, 0o100_000 | 0) if !named_as_dir => (file, mode & 0o7777),
            (true, 0) => (Node::Dir, mode & 0o7777),
            _ => return Err(malformed(self.place, "an entry is neither file, directory nor link")),
        };
        if self.size != 0 && node == Node::Dir {
            return Err(malformed(self.place, "a directory has content"));
        }
        let (uid, gid) = self.owner();
        if uid.max(gid) > MAX_OWNER {
            return Err(malformed(self.place, "an owner's number is out of range"));
        }
        Ok(Meta { node, perms, uid, gid, mtime: self.mtime(), xattrs: BTreeMap::new() })
    }

    fn owner(&self) -> (u32, u32) {
        if let Some(field) = extra_field(&self.extra, 0x7875) {
            let sized = |field: &[u8]| -> Option<(u32, usize)> {
                let size = usize::from(*field.first()?);
                let bytes = field.get(1..1 + size).filter(|_| size <= 4)?;
                let id = bytes.iter().rev().fold(0u32, |id, byte| id << 8 | u32::from(*byte));
                Some((id, 1 + size))
            };
            let ids = field.get(1..).and_then(|field| {
                let (uid, used) = sized(field)?;
                Some((uid, sized(&field[used..])?.0))
            });
            if let Some(ids) = ids {
                return ids;
            }
        }
        match extra_field(&self.extra, 0x7855) {
            Some(field) if field.len() >= 4 => {
                (u32::from(u16_at(field, 0)), u32::from(u16_at(field, 2)))
            }
            _ => (1000, 1000),
        }
    }

    /// The extended timestamp, else the DOS time taken for UTC.
    fn mtime(&self) -> Timestamp {
        match extra_field(&self.extra, 0x5455) {
            Some(field) if field.len() >= 5 && field[0] & 1 != 0 => {
                Timestamp { seconds: i64::from(u32_at(field, 1) as i32), nanos: 0 }
            }
            _ => Timestamp { seconds: dos_seconds(self.dos_date, self.dos_time), nanos: 0 },
        }
    }
}

fn extra_field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (id, size) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let field = extra.get(4..4 + size)?;
        if id == wanted {
            return Some(field);
        }
        extra = &extra[4 + size..];
    }
    None
}

fn dos_seconds(date: u16, time: u16) -> i64 {
    let (year, month, day) = (1980 + i32::from(date >> 9), date >> 5 & 15, i64::from(date & 31));
    let (hour, minute, second) =
        (i64::from(time >> 11), i64::from(time >> 5 & 63), i64::from(time & 31) * 2);
    // What is too much for a month goes on into the next.
    let first = Month::try_from(month.clamp(1, 12) as u8)
        .and_then(|month| Date::from_calendar_date(year, month, 1))
        .map_or(0, |first| first.midnight().assume_utc().unix_timestamp());
    first + (day.max(1) - 1) * 86400 + hour * 3600 + minute * 60 + second
}
