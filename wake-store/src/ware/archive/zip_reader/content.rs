//! The content of one entry, verified while it is read.

use super::malformed;
use crate::ware::archive::{Content, ExtractError};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// The content of one entry, whose length and checksum are verified at its end.
pub(super) struct ZipContent<'a> {
    pub(super) bytes: Box<dyn Read + 'a>,
    pub(super) left: u64,
    pub(super) crc: flate2::Crc,
    pub(super) expected: u32,
    pub(super) place: u64,
}

impl ZipContent<'_> {
    /// Returns all of it as text, for the target of a link.
    pub(super) fn text(&mut self, place: u64) -> Result<String, ExtractError> {
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
            .ok_or_else(|| malformed(place, "a link's target is not UTF-8"))
    }
}

impl Content for ZipContent<'_> {
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
            .ok_or_else(|| malformed(self.place, "an entry is larger than its header says"))?;
        if n == 0 && (self.left != 0 || self.crc.sum() != self.expected) {
            return Err(malformed(self.place, "an entry's content does not match its checksum"));
        }
        Ok(n)
    }
}

/// A section of a file.
pub(super) struct ZipSection<'a> {
    pub(super) file: &'a File,
    pub(super) at: u64,
    pub(super) left: u64,
}

impl Read for ZipSection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}
