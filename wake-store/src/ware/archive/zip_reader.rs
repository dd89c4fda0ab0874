//! Reads zip archives (PKWARE APPNOTE 6.3.10, Info-ZIP's extra fields).
//!
//! The central directory says what there is; local headers must agree with it, entries may not overlap, and nothing may
//! follow the end. So no two readers see two different archives.

use super::{Content, ExtractError, Visit};
use crate::ware::entry_path::EntryPath;
use crate::ware::node::{Meta, Node, Timestamp};
use crate::ware::policy::Policy;
use flate2::read::DeflateDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";

/// Reads a whole archive and hands every entry to `visitor` in the order of their places in the file.
pub(crate) fn read_zip(
    file: &File,
    policy: Policy,
    visitor: &mut dyn Visit,
) -> Result<(), ExtractError> {
    let length = file.metadata().map_err(|source| ExtractError::Source { source })?.len();
    let zip = Zip { file, length, policy };
    let end = zip.find_end()?;
    let mut entries = zip.central_entries(&end)?;
    entries.sort_by_key(|entry| entry.local_offset);
    zip.check_layout(&entries, &end)?;
    let mut total = 0u64;
    for entry in entries {
        total = total.saturating_add(entry.size);
        if total > policy.max_bytes {
            let path = entry.name.escape_ascii().to_string();
            return Err(ExtractError::Limit {
                of: "uncompressed bytes",
                most: policy.max_bytes,
                path,
            });
        }
        zip.read_entry(entry, visitor)?;
    }
    Ok(())
}

struct Zip<'a> {
    file: &'a File,
    length: u64,
    policy: Policy,
}

/// Where the central directory is.
struct End {
    entries: u64,
    size: u64,
    start: u64,
}

struct Entry {
    name: Vec<u8>,
    made_by: u8,
    flags: u16,
    method: u16,
    dos_time: u16,
    dos_date: u16,
    crc: u32,
    packed: u64,
    size: u64,
    attributes: u32,
    local_offset: u64,
    extra: Vec<u8>,
    place: u64,
}

impl Zip<'_> {
    fn find_end(&self) -> Result<End, ExtractError> {
        let tail_length = self.length.min(22 + 65535);
        let tail_start = self.length - tail_length;
        let tail = self.read_at(tail_start, tail_length as usize)?;
        // A comment could hold a second end record; only one whose comment reaches the end of the file counts, and the
        // first found from behind is the one all readers take.
        let at = (0..tail.len().saturating_sub(21))
            .rev()
            .find(|at| tail[*at..*at + 4] == END)
            .ok_or(ExtractError::Truncated { offset: self.length })?;
        let record = &tail[at..];
        let place = tail_start + at as u64;
        if record.len() != 22 + usize::from(u16_at(record, 20)) {
            return Err(ExtractError::TrailingGarbage { offset: place });
        }
        if u16_at(record, 4) != 0
            || u16_at(record, 6) != 0
            || u16_at(record, 8) != u16_at(record, 10)
        {
            return Err(malformed(place, "the archive is split over several files"));
        }
        let end = End {
            entries: u64::from(u16_at(record, 10)),
            size: u64::from(u32_at(record, 12)),
            start: u64::from(u32_at(record, 16)),
        };
        let overflowed =
            end.entries == 0xffff || end.size == 0xffff_ffff || end.start == 0xffff_ffff;
        if overflowed && let Some(end) = self.find_end64(place)? {
            return Ok(end);
        }
        if end.start.checked_add(end.size) != Some(place) {
            return Err(malformed(place, "the central directory is not where the end says"));
        }
        Ok(end)
    }

    fn find_end64(&self, end_place: u64) -> Result<Option<End>, ExtractError> {
        let Some(locator_place) = end_place.checked_sub(20) else { return Ok(None) };
        let locator = self.read_at(locator_place, 20)?;
        if locator[..4] != LOCATOR64 {
            return Ok(None);
        }
        let place = u64_at(&locator, 8);
        if place.checked_add(56) != Some(locator_place) {
            return Err(malformed(locator_place, "the zip64 end is not where its locator says"));
        }
        let record = self.read_at(place, 56)?;
        let end = End {
            entries: u64_at(&record, 32),
            size: u64_at(&record, 40),
            start: u64_at(&record, 48),
        };
        if record[..4] != END64 || end.start.checked_add(end.size) != Some(place) {
            return Err(malformed(place, "the zip64 end is malformed"));
        }
        Ok(Some(end))
    }

    fn central_entries(&self, end: &End) -> Result<Vec<Entry>, ExtractError> {
        if end.entries > self.policy.max_entries || end.entries > end.size / 46 {
            return Err(malformed(end.start, "the number of entries is impossible"));
        }
        let mut entries = Vec::new();
        let mut at = end.start;
        for _ in 0..end.entries {
            let (entry, length) = self.central_entry(at)?;
            at += length;
            entries.push(entry);
        }
        if at != end.start + end.size {
            return Err(malformed(at, "the central directory holds more than its entries"));
        }
        Ok(entries)
    }

    fn central_entry(&self, place: u64) -> Result<(Entry, u64), ExtractError> {
        let fixed = self.read_at(place, 46)?;
        if fixed[..4] != CENTRAL {
            return Err(malformed(place, "an entry of the central directory is missing"));
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
        let [name, extra, comment] = lengths;
        let variable = self.read_at(place + 46, name + extra)?;
        let mut entry = Entry {
            name: variable[..name].to_vec(),
            made_by: fixed[5],
            flags: u16_at(&fixed, 8),
            method: u16_at(&fixed, 10),
            dos_time: u16_at(&fixed, 12),
            dos_date: u16_at(&fixed, 14),
            crc: u32_at(&fixed, 16),
            packed: u64::from(u32_at(&fixed, 20)),
            size: u64::from(u32_at(&fixed, 24)),
            attributes: u32_at(&fixed, 38),
            local_offset: u64::from(u32_at(&fixed, 42)),
            extra: variable[name..].to_vec(),
            place,
        };
        entry.widen()?;
        Ok((entry, (46 + name + extra + comment) as u64))
    }

    /// Every local part must lie before the central directory, and none over another.
    fn check_layout(&self, entries: &[Entry], end: &End) -> Result<(), ExtractError> {
        let mut free = 0;
        for entry in entries {
            if entry.local_offset < free {
                return Err(malformed(entry.place, "two entries overlap"));
            }
            free = entry
                .local_offset
                .checked_add(30 + entry.name.len() as u64)
                .and_then(|at| at.checked_add(entry.packed))
                .filter(|at| *at <= end.start)
                .ok_or_else(|| malformed(entry.place, "an entry reaches beyond the archive"))?;
        }
        Ok(())
    }

    fn read_entry(&self, entry: Entry, visitor: &mut dyn Visit) -> Result<(), ExtractError> {
        let data = self.check_local(&entry)?;
        let path = EntryPath::parse(&entry.name).map_err(|problem| ExtractError::Path {
            path: entry.name.escape_ascii().to_string(),
            problem,
        })?;
        let mut content = self.content(&entry, data)?;
        let mut meta = entry.meta()?;
        if let Node::Symlink { target } = &mut meta.node {
            *target = content.text(entry.place)?;
            return visitor.entry(path, meta, &mut super::NoContent);
        }
        visitor.entry(path, meta, &mut content)?;
        let mut rest = [0u8; 8192];
        while content.read(&mut rest)? > 0 {}
        Ok(())
    }

    /// Compares the local header with the central one; gives where the data starts.
    fn check_local(&self, entry: &Entry) -> Result<u64, ExtractError> {
        let place = entry.local_offset;
        let fixed = self.read_at(place, 30)?;
        let (name, extra) = (usize::from(u16_at(&fixed, 26)), usize::from(u16_at(&fixed, 28)));
        let agrees = fixed[..4] == LOCAL
            && u16_at(&fixed, 6) == entry.flags
            && u16_at(&fixed, 8) == entry.method
            && self.read_at(place + 30, name)? == entry.name;
        if !agrees {
            return Err(malformed(place, "a local header and the central directory disagree"));
        }
        Ok(place + (30 + name + extra) as u64)
    }

    fn content(&self, entry: &Entry, start: u64) -> Result<Unpacked<'_>, ExtractError> {
        if entry.flags & 0x2041 != 0 {
            return Err(malformed(entry.place, "an entry is encrypted"));
        }
        let grace = entry.size > Policy::RATIO_GRACE;
        if grace && entry.size > entry.packed.saturating_mul(self.policy.max_ratio) {
            return Err(ExtractError::Limit {
                of: "uncompressed bytes for each compressed one",
                most: self.policy.max_ratio,
                path: entry.name.escape_ascii().to_string(),
            });
        }
        let raw = Section { file: self.file, at: start, left: entry.packed };
        let bytes: Box<dyn Read> = match entry.method {
            0 if entry.packed == entry.size => Box::new(raw),
            8 => Box::new(DeflateDecoder::new(BufReader::with_capacity(65536, raw))),
            0 => return Err(malformed(entry.place, "a stored entry has two sizes")),
            method => {
                return Err(malformed(
                    entry.place,
                    &format!("compression method {method} is unknown"),
                ));
            }
        };
        Ok(Unpacked {
            bytes,
            left: entry.size,
            crc: flate2::Crc::new(),
            expected: entry.crc,
            place: entry.place,
        })
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, ExtractError> {
        if offset.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ExtractError::Truncated { offset: self.length });
        }
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|source| ExtractError::Source { source })?;
        Ok(bytes)
    }
}

impl Entry {
    /// Takes the sizes and the place from the zip64 extra field where the fixed fields say so.
    fn widen(&mut self) -> Result<(), ExtractError> {
        let mut wide = extra_field(&self.extra, 0x0001).unwrap_or_default();
        for field in [&mut self.size, &mut self.packed, &mut self.local_offset] {
            if *field == 0xffff_ffff && wide.len() >= 8 {
                *field = u64_at(wide, 0);
                wide = &wide[8..];
            }
        }
        Ok(())
    }

    fn meta(&self) -> Result<Meta, ExtractError> {
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

/// The content of one entry, its length and checksum verified at its end.
struct Unpacked<'a> {
    bytes: Box<dyn Read + 'a>,
    left: u64,
    crc: flate2::Crc,
    expected: u32,
    place: u64,
}

impl Unpacked<'_> {
    fn text(&mut self, place: u64) -> Result<String, ExtractError> {
        let mut text = Vec::new();
        let mut buffer = [0u8; 4096];
        loop {
            let n = self.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            text.extend_from_slice(&buffer[..n]);
            if text.len() > 4096 {
                return Err(malformed(place, "a link's target is too long"));
            }
        }
        String::from_utf8(text)
            .ok()
            .filter(|text| !text.is_empty() && !text.contains('\0'))
            .ok_or_else(|| malformed(place, "a link's target is not text"))
    }
}

impl Content for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError> {
        let n = loop {
            match self.bytes.read(buffer) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ExtractError::Corrupt { format: "deflate", source }),
            }
        };
        self.crc.update(&buffer[..n]);
        self.left = self
            .left
            .checked_sub(n as u64)
            .ok_or_else(|| malformed(self.place, "an entry holds more than it says"))?;
        if n == 0 && (self.left != 0 || self.crc.sum() != self.expected) {
            return Err(malformed(self.place, "an entry's content does not match its checksum"));
        }
        Ok(n)
    }
}

struct Section<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

fn malformed(offset: u64, problem: &str) -> ExtractError {
    ExtractError::Malformed { offset, problem: problem.to_owned() }
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
    let (year, month, day) =
        (1980 + i64::from(date >> 9), i64::from(date >> 5 & 15), i64::from(date & 31));
    let (hour, minute, second) =
        (i64::from(time >> 11), i64::from(time >> 5 & 63), i64::from(time & 31) * 2);
    let days = crate::ware::filters::days_since_1970(year, month.clamp(1, 12), day.max(1));
    days * 86400 + hour * 3600 + minute * 60 + second
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
