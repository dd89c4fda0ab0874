//! Reads zip archives (PKWARE APPNOTE 6.3.10, Info-ZIP's extra fields).
//!
//! The central directory lists the entries; local headers must agree with it, entries may not overlap, and nothing may
//! follow the end. So no two readers can see different archives.

mod content;
mod entry;

use self::content::{ZipContent, ZipSection};
use self::entry::ZipEntry;
use super::{Content, ExtractError, NoContent, Visit};
use crate::ware::entry_path::EntryPath;
use crate::ware::node::Node;
use crate::ware::policy::ArchivePolicy;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;

const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const UNLISTED: &str = "an entry is not in the central directory";
/// The most bytes between two entries.
const LARGEST_GAP: u64 = 1 << 20;

/// Reads a whole archive and passes every entry to `visitor`, in the order of their offsets.
pub(crate) fn read_zip(
    file: &File,
    policy: ArchivePolicy,
    visitor: &mut dyn Visit,
) -> Result<(), ExtractError> {
    let length = file.metadata().map_err(|source| ExtractError::Source { source })?.len();
    let zip = Zip { file, length, policy };
    let end = zip.find_end()?;
    let mut entries = zip.central_entries(&end)?;
    entries.sort_by_key(|entry| entry.local_offset);
    zip.check_layout(&entries, &end)?;
    let starts: Vec<u64> = entries.iter().map(|entry| entry.local_offset).collect();
    zip.check_start(starts.first().copied())?;
    let nexts = starts.into_iter().skip(1).chain([end.start]);
    let mut total = 0u64;
    for (entry, next) in entries.into_iter().zip(nexts) {
        total = total.saturating_add(entry.size);
        if total > policy.max_bytes {
            let path = entry.name.escape_ascii().to_string();
            return Err(ExtractError::Limit {
                of: "uncompressed bytes",
                most: policy.max_bytes,
                path,
            });
        }
        zip.read_entry(entry, next, visitor)?;
    }
    Ok(())
}

struct Zip<'a> {
    file: &'a File,
    length: u64,
    policy: ArchivePolicy,
}

/// The location of the central directory.
struct EndRecord {
    entries: u64,
    size: u64,
    start: u64,
}

impl Zip<'_> {
    fn find_end(&self) -> Result<EndRecord, ExtractError> {
        let tail_length = self.length.min(22 + 65535);
        let tail_start = self.length - tail_length;
        let tail = self.read_at(tail_start, tail_length as usize)?;
        // A comment could contain a second end record. Only one whose comment reaches the end of the file counts, and
        // the first one found from the end is the one that all readers use.
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
        let end = EndRecord {
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
            return Err(malformed(place, "the central directory is not where the end record says"));
        }
        Ok(end)
    }

    fn find_end64(&self, end_place: u64) -> Result<Option<EndRecord>, ExtractError> {
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
        let end = EndRecord {
            entries: u64_at(&record, 32),
            size: u64_at(&record, 40),
            start: u64_at(&record, 48),
        };
        if record[..4] != END64 || end.start.checked_add(end.size) != Some(place) {
            return Err(malformed(place, "the zip64 end is malformed"));
        }
        Ok(Some(end))
    }

    fn central_entries(&self, end: &EndRecord) -> Result<Vec<ZipEntry>, ExtractError> {
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
            return Err(malformed(at, "the central directory contains more than its entries"));
        }
        Ok(entries)
    }

    fn central_entry(&self, place: u64) -> Result<(ZipEntry, u64), ExtractError> {
        let fixed = self.read_at(place, 46)?;
        if fixed[..4] != CENTRAL {
            return Err(malformed(place, "an entry of the central directory is missing"));
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
        let [name, extra, comment] = lengths;
        let variable = self.read_at(place + 46, name + extra)?;
        let mut entry = ZipEntry {
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
        entry.widen();
        Ok((entry, (46 + name + extra + comment) as u64))
    }

    /// Checks that every local part is before the central directory, and that none overlaps another.
    fn check_layout(&self, entries: &[ZipEntry], end: &EndRecord) -> Result<(), ExtractError> {
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

    /// A reader that starts at the beginning must not find entries that the central directory does not list.
    fn check_start(&self, first: Option<u64>) -> Result<(), ExtractError> {
        let hidden = match first {
            Some(0) => false,
            _ => self.length >= 4 && self.read_at(0, 4)? == LOCAL,
        };
        if hidden {
            return Err(malformed(0, UNLISTED));
        }
        Ok(())
    }

    /// Checks the bytes between the end of an entry's data and the next entry: none, the entry's sizes, or padding.
    fn check_gap(&self, from: u64, to: u64) -> Result<(), ExtractError> {
        let length = to.saturating_sub(from);
        if length > LARGEST_GAP {
            return Err(malformed(from, "data after an entry belongs to no entry"));
        }
        let gap = self.read_at(from, length as usize)?;
        if gap.windows(4).any(|bytes| bytes == LOCAL) {
            return Err(malformed(from, UNLISTED));
        }
        Ok(())
    }

    fn read_entry(
        &self,
        entry: ZipEntry,
        next: u64,
        visitor: &mut dyn Visit,
    ) -> Result<(), ExtractError> {
        let data = self.check_local(&entry)?;
        self.check_gap(data + entry.packed, next)?;
        let path = EntryPath::parse(&entry.name).map_err(|problem| ExtractError::Path {
            path: entry.name.escape_ascii().to_string(),
            problem,
        })?;
        let mut content = self.content(&entry, data)?;
        let mut meta = entry.meta()?;
        if let Node::Symlink { target } = &mut meta.node {
            *target = content.text(entry.place)?;
            return visitor.entry(path, meta, &mut NoContent);
        }
        visitor.entry(path, meta, &mut content)?;
        let mut rest = [0u8; 8192];
        while content.read(&mut rest)? > 0 {}
        Ok(())
    }

    /// Compares the local header with the central one; returns the offset of the data.
    fn check_local(&self, entry: &ZipEntry) -> Result<u64, ExtractError> {
        let place = entry.local_offset;
        let fixed = self.read_at(place, 30)?;
        let (name, extra) = (usize::from(u16_at(&fixed, 26)), usize::from(u16_at(&fixed, 28)));
        let agrees = fixed[..4] == LOCAL
            && u16_at(&fixed, 6) == entry.flags
            && u16_at(&fixed, 8) == entry.method
            && self.read_at(place + 30, name)? == entry.name;
        let after = entry.flags & 8 != 0;
        let says = |at: usize, whole: u64| {
            let said = u32_at(&fixed, at);
            // Sizes that are too large for the header are in an extra field, which cannot be read in two ways.
            said == 0xffff_ffff || u64::from(said) == whole
        };
        let sizes = after
            || u32_at(&fixed, 14) == entry.crc && says(18, entry.packed) && says(22, entry.size);
        if !agrees || !sizes {
            return Err(malformed(place, "a local header and the central directory disagree"));
        }
        Ok(place + (30 + name + extra) as u64)
    }

    fn content(&self, entry: &ZipEntry, start: u64) -> Result<ZipContent<'_>, ExtractError> {
        if entry.flags & 0x2041 != 0 {
            return Err(malformed(entry.place, "an entry is encrypted"));
        }
        let grace = entry.size > ArchivePolicy::RATIO_GRACE;
        if grace && entry.size > entry.packed.saturating_mul(self.policy.max_ratio) {
            return Err(ExtractError::Limit {
                of: "uncompressed bytes for each compressed one",
                most: self.policy.max_ratio,
                path: entry.name.escape_ascii().to_string(),
            });
        }
        let raw = ZipSection { file: self.file, at: start, left: entry.packed };
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
        Ok(ZipContent {
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

fn malformed(offset: u64, problem: &str) -> ExtractError {
    ExtractError::Malformed { offset, problem: problem.to_owned() }
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
