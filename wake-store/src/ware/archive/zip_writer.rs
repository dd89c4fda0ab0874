//! Writes zip archives (PKWARE APPNOTE 6.3.10, Info-ZIP's extra fields), in one pass and with bytes that depend on the
//! entries alone.

use crate::ware::entry_path::EntryPath;
use crate::ware::node::{Meta, Node};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::{self, Write};
use time::OffsetDateTime;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Sizes and checksum follow the content.
const DESCRIBED_AFTER: u16 = 1 << 3;
const NAMES_ARE_UTF8: u16 = 1 << 11;
/// The version of the format that is needed to extract: 2.0, or 4.5 for zip64.
const PLAIN: u16 = 20;
const LARGE: u16 = 45;
const MADE_ON_UNIX: u16 = 3 << 8 | LARGE;
/// Files of this size and larger have their sizes in eight bytes: compression can make them a little larger.
const LARGE_FROM: u64 = 0xff00_0000;
const MANY_ENTRIES: u64 = 0xffff;
const FULL: u32 = 0xffff_ffff;

/// A zip archive under construction.
pub(crate) struct ZipWriter<W: Write> {
    out: W,
    written: u64,
    central: Vec<u8>,
    entries: u64,
    open: Option<OpenFile>,
}

/// The central directory's data about an entry.
struct Described {
    name: String,
    flags: u16,
    method: u16,
    date: (u16, u16),
    attributes: u32,
    extra: Vec<u8>,
    offset: u64,
}

/// A file whose content is being appended.
struct OpenFile {
    described: Described,
    deflate: DeflateEncoder<Vec<u8>>,
    crc: Crc,
    size: u64,
    packed: u64,
    large: bool,
}

impl<W: Write> ZipWriter<W> {
    /// Starts an empty archive.
    pub(crate) fn new(out: W) -> Self {
        Self { out, written: 0, central: Vec::new(), entries: 0, open: None }
    }

    /// Appends a file, whose content follows, a directory or a link.
    pub(crate) fn entry(&mut self, path: &EntryPath, meta: &Meta) -> io::Result<()> {
        self.close()?;
        // The root is `.`, as in the paths of a tar archive.
        let slash = if meta.is_dir() { "/" } else { "" };
        let (kind, content, size): (u32, &[u8], u64) = match &meta.node {
            Node::File { size } => (0o100_000, b"", *size),
            Node::Symlink { target } => (0o120_000, target.as_bytes(), 0),
            _ => (0o040_000, b"", 0),
        };
        let is_file = matches!(meta.node, Node::File { .. });
        let described = Described {
            name: format!("{path}{slash}"),
            flags: NAMES_ARE_UTF8 | if is_file { DESCRIBED_AFTER } else { 0 },
            method: if is_file { DEFLATED } else { STORED },
            date: dos_date(meta.mtime.seconds),
            attributes: (kind | u32::from(meta.perms)) << 16 | if meta.is_dir() { 0x10 } else { 0 },
            extra: extra(meta),
            offset: self.written,
        };
        if is_file {
            let large = size >= LARGE_FROM;
            self.local_header(&described, [0; 3], large)?;
            let deflate = DeflateEncoder::new(Vec::new(), Compression::default());
            let (crc, size, packed) = (Crc::new(), 0, 0);
            self.open = Some(OpenFile { described, deflate, crc, size, packed, large });
            return Ok(());
        }
        let mut crc = Crc::new();
        crc.update(content);
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        self.local_header(&described, [crc.sum(), length, length], false)?;
        self.put(content)?;
        self.list(&described, crc.sum(), length.into(), length.into());
        Ok(())
    }

    /// Appends content of the current file.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(mut file) = self.open.take() else { return Ok(()) };
        file.crc.update(bytes);
        file.size += bytes.len() as u64;
        file.deflate.write_all(bytes)?;
        let packed = std::mem::take(file.deflate.get_mut());
        file.packed += packed.len() as u64;
        self.open = Some(file);
        self.put(&packed)
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.close()?;
        let (start, size, entries) = (self.written, self.central.len() as u64, self.entries);
        let central = std::mem::take(&mut self.central);
        self.put(&central)?;
        let small = |number: u64| u32::try_from(number).unwrap_or(FULL);
        if entries >= MANY_ENTRIES || size >= FULL.into() || start >= FULL.into() {
            let place = self.written;
            let mut end = Bytes::begin(b"PK\x06\x06").long(44).short(MADE_ON_UNIX).short(LARGE);
            end = end.word(0).word(0).long(entries).long(entries).long(size).long(start);
            let locator = Bytes::begin(b"PK\x06\x07").word(0).long(place).word(1);
            self.put(&end.0)?;
            self.put(&locator.0)?;
        }
        let count = u16::try_from(entries).unwrap_or(u16::MAX);
        let mut end = Bytes::begin(b"PK\x05\x06").short(0).short(0).short(count).short(count);
        end = end.word(small(size)).word(small(start)).short(0);
        self.put(&end.0)?;
        Ok(self.out)
    }

    /// Ends the current file.
    fn close(&mut self) -> io::Result<()> {
        let Some(OpenFile { described, deflate, crc, size, packed, large }) = self.open.take()
        else {
            return Ok(());
        };
        let rest = deflate.finish()?;
        self.put(&rest)?;
        let packed = packed + rest.len() as u64;
        let after = Bytes::begin(b"PK\x07\x08").word(crc.sum());
        let after = match large {
            true => after.long(packed).long(size),
            false => after.word(packed as u32).word(size as u32),
        };
        self.put(&after.0)?;
        self.list(&described, crc.sum(), packed, size);
        Ok(())
    }

    /// Writes the local header of an entry; checksum and sizes are zero if they follow the content.
    fn local_header(
        &mut self,
        described: &Described,
        [crc, packed, size]: [u32; 3],
        large: bool,
    ) -> io::Result<()> {
        let Described { name, flags, method, date: (date, time), extra, .. } = described;
        let wide = if large { wide_field(&[0, 0]) } else { Vec::new() };
        let (packed, size) = if large { (FULL, FULL) } else { (packed, size) };
        let header = Bytes::begin(b"PK\x03\x04").short(if large { LARGE } else { PLAIN });
        let header = header.short(*flags).short(*method).short(*time).short(*date);
        let header = header.word(crc).word(packed).word(size).length(name.len())?;
        let header = header.length(wide.len() + extra.len())?;
        self.put(&header.0)?;
        self.put(name.as_bytes())?;
        self.put(&wide)?;
        self.put(extra)
    }

    /// Adds an entry to the central directory.
    fn list(&mut self, described: &Described, crc: u32, packed: u64, size: u64) {
        let Described { name, flags, method, date: (date, time), attributes, extra, offset } =
            described;
        // The values that do not fit into four bytes, in this order.
        let large: Vec<u64> =
            [size, packed, *offset].into_iter().filter(|n| *n >= FULL.into()).collect();
        let wide = if large.is_empty() { Vec::new() } else { wide_field(&large) };
        let small = |number: u64| u32::try_from(number).unwrap_or(FULL);
        let needs = if large.is_empty() { PLAIN } else { LARGE };
        let entry = Bytes::begin(b"PK\x01\x02").short(MADE_ON_UNIX).short(needs);
        let entry = entry.short(*flags).short(*method).short(*time).short(*date);
        let entry = entry.word(crc).word(small(packed)).word(small(size));
        // The local header was able to represent both lengths.
        let entry = entry.short(name.len() as u16).short((wide.len() + extra.len()) as u16);
        let entry = entry.short(0).short(0).short(0).word(*attributes).word(small(*offset));
        self.central.extend(entry.0);
        self.central.extend(name.as_bytes());
        self.central.extend(wide);
        self.central.extend(extra);
        self.entries += 1;
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// A byte buffer, written in little-endian order.
struct Bytes(Vec<u8>);

impl Bytes {
    fn begin(magic: &[u8]) -> Self {
        Bytes(magic.to_vec())
    }

    fn short(mut self, number: u16) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn word(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn long(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn length(self, length: usize) -> io::Result<Self> {
        Ok(self.short(u16::try_from(length).map_err(io::Error::other)?))
    }
}

fn wide_field(numbers: &[u64]) -> Vec<u8> {
    let length = (8 * numbers.len()) as u16;
    numbers.iter().fold(Bytes(Vec::new()).short(0x0001).short(length), |to, n| to.long(*n)).0
}

/// Returns time and owner fields; a time that does not fit into 32 bits is written in the NTFS form.
fn extra(meta: &Meta) -> Vec<u8> {
    /// Seconds between 1601 and 1970.
    const NTFS_EPOCH: i64 = 11_644_473_600;
    let mut field = Bytes(Vec::new());
    field = match u32::try_from(meta.mtime.seconds) {
        Ok(seconds) => {
            let mut field = field.short(0x5455).short(5);
            field.0.push(1);
            field.word(seconds)
        }
        Err(_) => {
            let ticks = meta.mtime.seconds.saturating_add(NTFS_EPOCH).saturating_mul(10_000_000);
            let field = field.short(0x000a).short(32).word(0).short(1).short(24);
            (0..3).fold(field, |field, _| field.long(ticks as u64))
        }
    };
    field = field.short(0x7875).short(11);
    field.0.extend([1, 4]);
    field = field.word(meta.uid);
    field.0.push(4);
    field.word(meta.gid).0
}

/// Returns the DOS date and time that is nearest to a moment.
fn dos_date(seconds: i64) -> (u16, u16) {
    const FIRST: i64 = 315_532_800;
    const LAST: i64 = 4_354_819_198;
    let moment = OffsetDateTime::from_unix_timestamp(seconds.clamp(FIRST, LAST))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let year = u16::try_from(year - 1980).unwrap_or(0);
    let date = year << 9 | u16::from(u8::from(month)) << 5 | u16::from(day);
    (date, u16::from(hour) << 11 | u16::from(minute) << 5 | u16::from(second / 2))
}
