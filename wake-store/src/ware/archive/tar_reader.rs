//! Reads tar archives: v7, ustar, pax and GNU.

use super::pax::{Pax, SPARSE};
use super::tar_header::{BLOCK, Header};
use super::{Content, ExtractError, NoContent, Stream, Visit};
use crate::ware::entry_path::EntryPath;
use crate::ware::node::{MAX_OWNER, Meta, Node, Timestamp};

/// The maximum size of an extended header or long name.
const MAX_EXTENSION: i64 = 1 << 20;

/// Reads a whole archive, to the end of `stream`, and passes every entry to `visitor`.
pub(crate) fn read_tar(
    stream: &mut Stream<'_>,
    visitor: &mut dyn Visit,
) -> Result<(), ExtractError> {
    let mut extensions = Extensions::default();
    loop {
        let offset = stream.offset();
        let mut block = [0u8; BLOCK];
        stream.fill(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            extensions.expect_none(offset)?;
            return expect_end(stream);
        }
        let header = Header::parse(&block, offset)?;
        let place = EntryPlace { offset };
        match header.typeflag {
            b'x' => extensions.set_pax(read_extension(stream, &header, place)?, place)?,
            b'g' => Pax::check_global(&read_extension(stream, &header, place)?)
                .map_err(|problem| place.malformed(problem))?,
            b'L' => {
                set_once(&mut extensions.long_name, read_extension(stream, &header, place)?, place)?
            }
            b'K' => {
                set_once(&mut extensions.long_link, read_extension(stream, &header, place)?, place)?
            }
            _ => read_entry(stream, header, std::mem::take(&mut extensions), place, visitor)?,
        }
    }
}

#[derive(Clone, Copy)]
struct EntryPlace {
    offset: u64,
}

impl EntryPlace {
    fn malformed(self, problem: impl Into<String>) -> ExtractError {
        ExtractError::Malformed { offset: self.offset, problem: problem.into() }
    }
}

/// The extensions that precede an entry and amend its header.
#[derive(Default)]
struct Extensions {
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Extensions {
    fn set_pax(&mut self, records: Vec<u8>, place: EntryPlace) -> Result<(), ExtractError> {
        let pax = Pax::parse(&records).map_err(|problem| place.malformed(problem))?;
        if self.pax.replace(pax).is_some() {
            return Err(place.malformed("a second extended header for one entry"));
        }
        Ok(())
    }

    fn expect_none(&self, offset: u64) -> Result<(), ExtractError> {
        let Extensions { pax, long_name, long_link } = self;
        if pax.is_some() || long_name.is_some() || long_link.is_some() {
            return Err(EntryPlace { offset }.malformed("an extended header without an entry"));
        }
        Ok(())
    }
}

fn set_once(
    slot: &mut Option<Vec<u8>>,
    value: Vec<u8>,
    place: EntryPlace,
) -> Result<(), ExtractError> {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    if value[end..].iter().any(|byte| *byte != 0) {
        return Err(place.malformed("a long name contains a NUL byte"));
    }
    if slot.replace(value[..end].to_vec()).is_some() {
        return Err(place.malformed("a second long name for one entry"));
    }
    Ok(())
}

fn read_extension(
    stream: &mut Stream<'_>,
    header: &Header,
    place: EntryPlace,
) -> Result<Vec<u8>, ExtractError> {
    if !(1..=MAX_EXTENSION).contains(&header.size) {
        return Err(place.malformed("an extended header of impossible size"));
    }
    let mut value = vec![0; header.size as usize];
    stream.fill(&mut value)?;
    skip_padding(stream, header.size as u64)?;
    Ok(value)
}

fn read_entry(
    stream: &mut Stream<'_>,
    header: Header,
    extensions: Extensions,
    place: EntryPlace,
    visitor: &mut dyn Visit,
) -> Result<(), ExtractError> {
    let (raw_path, meta) = describe(header, extensions, place)?;
    let path = EntryPath::parse(&raw_path).map_err(|problem| ExtractError::Path {
        path: raw_path.escape_ascii().to_string(),
        problem,
    })?;
    let Node::File { size } = meta.node else {
        return visitor.entry(path, meta, &mut NoContent);
    };
    let mut content = BoundedReader { stream, left: size };
    visitor.entry(path, meta, &mut content)?;
    let mut rest = [0u8; 8192];
    while content.read(&mut rest)? > 0 {}
    skip_padding(stream, size)
}

/// Combines a header with its extensions. If two of them contradict each other, the archive is refused: readers
/// disagree about which one wins, and thus about what the archive contains.
fn describe(
    header: Header,
    extensions: Extensions,
    place: EntryPlace,
) -> Result<(Vec<u8>, Meta), ExtractError> {
    let pax = extensions.pax.unwrap_or_default();
    let raw_path = choose(header.name, pax.path, extensions.long_name, place)?;
    let raw_link = choose(header.linkname, pax.linkpath, extensions.long_link, place)?;
    let size = size(header.size, pax.size, place)?;
    let (uid, gid) = (pax.uid.unwrap_or(header.uid), pax.gid.unwrap_or(header.gid));
    let id = |id: i64| {
        let number = u32::try_from(id).ok().filter(|number| *number <= MAX_OWNER);
        number.ok_or_else(|| place.malformed("an owner's number is out of range"))
    };
    let named_as_dir = raw_path.ends_with(b"/");
    let text = || {
        String::from_utf8(raw_link.clone())
            .ok()
            .filter(|link| !link.is_empty() && !link.contains('\0'))
            .ok_or_else(|| place.malformed("a link's target is not UTF-8"))
    };
    let device = || match (u32::try_from(header.dev_major), u32::try_from(header.dev_minor)) {
        (Ok(major), Ok(minor)) => Ok((major, minor)),
        _ => Err(place.malformed("a device's number is out of range")),
    };
    let node = match header.typeflag {
        0 if named_as_dir => Node::Dir,
        b'0' | b'7' if named_as_dir => {
            return Err(place.malformed("a file's name ends in a slash"));
        }
        0 | b'0' | b'7' => Node::File { size },
        b'1' => Node::Hardlink { target: text()? },
        b'2' => Node::Symlink { target: text()? },
        b'3' => device().map(|(major, minor)| Node::CharDevice { major, minor })?,
        b'4' => device().map(|(major, minor)| Node::BlockDevice { major, minor })?,
        b'5' => Node::Dir,
        b'6' => Node::Fifo,
        b'S' => return Err(place.malformed(SPARSE)),
        flag => {
            let flag = [flag];
            return Err(place.malformed(format!("entry type `{}` is unknown", flag.escape_ascii())));
        }
    };
    if size != 0 && !matches!(node, Node::File { .. }) {
        return Err(place.malformed("an entry that is not a file has a size"));
    }
    let mtime = pax.mtime.unwrap_or(Timestamp { seconds: header.mtime, nanos: 0 });
    let perms = (header.mode & 0o7777) as u16;
    Ok((raw_path, Meta { node, perms, uid: id(uid)?, gid: id(gid)?, mtime, xattrs: pax.xattrs }))
}

fn choose(
    short: Vec<u8>,
    pax: Option<Vec<u8>>,
    gnu: Option<Vec<u8>>,
    place: EntryPlace,
) -> Result<Vec<u8>, ExtractError> {
    match (pax, gnu) {
        (Some(_), Some(_)) => {
            Err(place.malformed("two long names of different kinds for one entry"))
        }
        (Some(long), None) | (None, Some(long)) => Ok(long),
        (None, None) => Ok(short),
    }
}

fn size(header: i64, pax: Option<i64>, place: EntryPlace) -> Result<u64, ExtractError> {
    /// The largest size that eleven octal digits can represent; beyond it, writers put arbitrary values into the
    /// header.
    const OCTAL_MAX: i64 = 0o77_777_777_777;
    let size = match pax {
        Some(size) if size <= OCTAL_MAX && size != header => {
            return Err(place.malformed("extended header and header disagree about the size"));
        }
        Some(size) => size,
        None => header,
    };
    u64::try_from(size).map_err(|_| place.malformed("a size is negative"))
}

/// The content of one file of an archive.
struct BoundedReader<'a, 's> {
    stream: &'a mut Stream<'s>,
    left: u64,
}

impl Content for BoundedReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        match self.stream.read(&mut buffer[..most])? {
            0 => Err(ExtractError::Truncated { offset: self.stream.offset() }),
            n => {
                self.left -= n as u64;
                Ok(n)
            }
        }
    }
}

fn skip_padding(stream: &mut Stream<'_>, size: u64) -> Result<(), ExtractError> {
    let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    if padding == 0 {
        return Ok(());
    }
    stream.fill(&mut [0u8; BLOCK][..padding as usize])
}

/// The most zeros after the end of an archive: tapes are padded to whole records.
const MOST_ZEROS: u64 = 16 << 20;

/// Expects the end of an archive: two blocks of zeros, followed only by zeros up to the end of the stream.
fn expect_end(stream: &mut Stream<'_>) -> Result<(), ExtractError> {
    let mut block = [0u8; BLOCK];
    let mut offset = stream.offset();
    let end = offset;
    stream.fill(&mut block)?;
    let mut read = block.len();
    let mut rest = [0u8; 8192];
    rest[..read].copy_from_slice(&block);
    loop {
        if let Some(at) = rest[..read].iter().position(|byte| *byte != 0) {
            return Err(ExtractError::TrailingGarbage { offset: offset + at as u64 });
        }
        offset = stream.offset();
        if offset - end > MOST_ZEROS {
            let (of, path) = ("bytes after its end", ".".to_owned());
            return Err(ExtractError::Limit { of, most: MOST_ZEROS, path });
        }
        read = stream.read(&mut rest)?;
        if read == 0 {
            return Ok(());
        }
    }
}
