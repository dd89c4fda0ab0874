//! Writes tar archives whose bytes depend only on the entries: ustar headers, extended ones only where needed.

use super::tar_header::{BLOCK, checksum};
use crate::ware::entry_path::EntryPath;
use crate::ware::node::{Meta, Node};
use std::io::{self, Write};

/// Writes entries in the given order.
pub(crate) struct TarWriter<W: Write> {
    to: W,
    /// The remaining bytes of the current file.
    left: u64,
    /// The zeros that pad the current file's last block.
    padding: usize,
}

impl<W: Write> TarWriter<W> {
    /// Starts an archive.
    pub(crate) fn new(to: W) -> Self {
        Self { to, left: 0, padding: 0 }
    }

    /// Starts an entry. A file's content follows through [`TarWriter::content`], with exactly the length in `meta`.
    pub(crate) fn entry(&mut self, path: &EntryPath, meta: &Meta) -> io::Result<()> {
        let name = match (path.is_root(), meta.is_dir()) {
            (true, true) => "./".to_owned(),
            (_, true) => format!("{path}/"),
            (_, false) => path.to_string(),
        };
        let fields = HeaderFields::of(name, meta);
        let records = fields.records();
        if !records.is_empty() {
            let extension = HeaderFields {
                name: "pax".to_owned(),
                size: records.len() as u64,
                typeflag: b'x',
                mode: 0o644,
                ..HeaderFields::default()
            };
            self.to.write_all(&extension.block())?;
            self.to.write_all(&records)?;
            self.to.write_all(&[0u8; BLOCK][..padding(records.len() as u64)])?;
        }
        self.to.write_all(&fields.block())?;
        self.left = fields.size;
        self.padding = padding(fields.size);
        Ok(())
    }

    /// Appends content of the current file.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::other("more content than the header says"))?;
        if self.left == 0 {
            self.to.write_all(&[0u8; BLOCK][..std::mem::take(&mut self.padding)])?;
        }
        Ok(())
    }

    /// Ends the archive and returns the underlying writer.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0u8; 2 * BLOCK])?;
        Ok(self.to)
    }
}

#[derive(Default)]
struct HeaderFields {
    name: String,
    link: String,
    size: u64,
    typeflag: u8,
    mode: u16,
    uid: u32,
    gid: u32,
    mtime: i64,
    device: Option<(u32, u32)>,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl HeaderFields {
    fn of(name: String, meta: &Meta) -> Self {
        let (typeflag, size, link, device) = match &meta.node {
            Node::File { size } => (b'0', *size, "", None),
            Node::Hardlink { target } => (b'1', 0, target.as_str(), None),
            Node::Symlink { target } => (b'2', 0, target.as_str(), None),
            Node::CharDevice { major, minor } => (b'3', 0, "", Some((*major, *minor))),
            Node::BlockDevice { major, minor } => (b'4', 0, "", Some((*major, *minor))),
            Node::Dir => (b'5', 0, "", None),
            Node::Fifo => (b'6', 0, "", None),
        };
        Self {
            name,
            link: link.to_owned(),
            size,
            typeflag,
            mode: meta.perms,
            uid: meta.uid,
            gid: meta.gid,
            mtime: meta.mtime.seconds,
            device,
            xattrs: meta.xattrs.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    /// Returns the extended records for values that do not fit into the header.
    fn records(&self) -> Vec<u8> {
        let mut records = Vec::new();
        let mut put = |key: &str, value: String| records.extend(record(key, value.as_bytes()));
        if self.name.len() > 100 {
            put("path", self.name.clone());
        }
        if self.link.len() > 100 {
            put("linkpath", self.link.clone());
        }
        let (uid, gid) = (u64::from(self.uid), u64::from(self.gid));
        for (key, value, digits) in [("size", self.size, 11), ("uid", uid, 7), ("gid", gid, 7)] {
            if octal(value, digits).is_none() {
                put(key, value.to_string());
            }
        }
        if self.octal_mtime().is_none() {
            put("mtime", self.mtime.to_string());
        }
        for (name, value) in &self.xattrs {
            records.extend(record(&format!("SCHILY.xattr.{name}"), value));
        }
        records
    }

    fn octal_mtime(&self) -> Option<String> {
        octal(u64::try_from(self.mtime).ok()?, 11)
    }

    fn block(&self) -> [u8; BLOCK] {
        let mut block = [0u8; BLOCK];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        let number =
            |value: u64, digits: usize| octal(value, digits).unwrap_or_else(|| "0".repeat(digits));
        put(0, &self.name.as_bytes()[..self.name.len().min(100)]);
        put(100, number(u64::from(self.mode), 7).as_bytes());
        put(108, number(u64::from(self.uid), 7).as_bytes());
        put(116, number(u64::from(self.gid), 7).as_bytes());
        put(124, number(self.size, 11).as_bytes());
        put(136, self.octal_mtime().unwrap_or_else(|| "0".repeat(11)).as_bytes());
        put(156, &[self.typeflag]);
        put(157, &self.link.as_bytes()[..self.link.len().min(100)]);
        put(257, b"ustar\x0000");
        let (major, minor) = self.device.unwrap_or_default();
        put(329, number(u64::from(major), 7).as_bytes());
        put(337, number(u64::from(minor), 7).as_bytes());
        let sum = format!("{:06o}\0 ", checksum(&block));
        block[148..156].copy_from_slice(sum.as_bytes());
        block
    }
}

/// Returns `length key=value\n`, whose length includes its own digits.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while length != body + length.to_string().len() {
        length = body + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// Formats `value` in exactly `digits` octal digits, if it fits.
fn octal(value: u64, digits: usize) -> Option<String> {
    let text = format!("{value:0digits$o}");
    (text.len() == digits).then_some(text)
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        assert_eq!(record("path", b"a/b"), b"12 path=a/b\n");
        // 98 bytes and two digits make 100, which needs three digits, which make 101.
        let long = record("p", "x".repeat(94).as_bytes());
        assert!(long.starts_with(b"101 p="), "{}", long.escape_ascii());
        assert_eq!(long.len(), 101);
    }
}
