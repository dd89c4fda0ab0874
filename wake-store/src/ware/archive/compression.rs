//! Decompression, with the format detected by its first bytes.

use super::ExtractError;
use crate::ware::policy::ArchivePolicy;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The uncompressed bytes of an archive, counted and limited.
pub(crate) struct Stream<'a> {
    plain: Box<dyn Read + 'a>,
    raw: Arc<RawCount>,
    format: &'static str,
    offset: u64,
    policy: ArchivePolicy,
}

#[derive(Default)]
struct RawCount {
    bytes: AtomicU64,
    failed: AtomicBool,
}

impl<'a> Stream<'a> {
    /// Opens `source`: plain, gzip, bzip2, xz or zstd.
    pub(crate) fn open(
        source: impl Read + 'a,
        policy: ArchivePolicy,
    ) -> Result<Self, ExtractError> {
        let raw = Arc::new(RawCount::default());
        let mut counted =
            BufReader::with_capacity(65536, CountedReader { source, raw: Arc::clone(&raw) });
        let magic = peek(&mut counted).map_err(ExtractError::unread)?;
        let (format, plain): (_, Box<dyn Read + 'a>) = match magic.as_slice() {
            [0x1f, 0x8b, ..] => ("gzip", Box::new(flate2::bufread::MultiGzDecoder::new(counted))),
            [b'B', b'Z', b'h', ..] => {
                ("bzip2", Box::new(bzip2::bufread::MultiBzDecoder::new(counted)))
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0] => {
                ("xz", Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(counted)))
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let decoder = zstd::stream::read::Decoder::with_buffer(counted)
                    .map_err(|source| ExtractError::Corrupt { format: "zstd", source })?;
                ("zstd", Box::new(decoder))
            }
            _ => ("tar", Box::new(counted)),
        };
        Ok(Self { plain, raw, format, offset: 0, policy })
    }

    /// Returns how many uncompressed bytes were read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads some bytes; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError> {
        loop {
            match self.plain.read(buffer) {
                Ok(n) => {
                    self.offset += n as u64;
                    self.check_limits()?;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.explain(source)),
            }
        }
    }

    /// Fills `buffer`; fails if the stream ends early.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ExtractError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..])? {
                0 => return Err(ExtractError::Truncated { offset: self.offset }),
                n => filled += n,
            }
        }
        Ok(())
    }

    fn explain(&self, source: io::Error) -> ExtractError {
        if self.raw.failed.load(Ordering::Relaxed) {
            return ExtractError::unread(source);
        }
        if source.kind() == io::ErrorKind::UnexpectedEof {
            return ExtractError::Truncated { offset: self.offset };
        }
        ExtractError::Corrupt { format: self.format, source }
    }

    fn check_limits(&self) -> Result<(), ExtractError> {
        let ArchivePolicy { max_bytes, max_ratio, .. } = self.policy;
        let limit = |of, most| ExtractError::Limit { of, most, path: ".".to_owned() };
        if self.offset > max_bytes {
            return Err(limit("uncompressed bytes", max_bytes));
        }
        let allowed = self.raw.bytes.load(Ordering::Relaxed).saturating_mul(max_ratio);
        if self.offset > ArchivePolicy::RATIO_GRACE && self.offset > allowed {
            return Err(limit("uncompressed bytes for each compressed one", max_ratio));
        }
        Ok(())
    }
}

/// Returns the first six bytes, which stay in the buffer; fewer if the source is shorter.
fn peek<R: Read>(reader: &mut BufReader<R>) -> io::Result<Vec<u8>> {
    use std::io::BufRead;
    // Files and archive pipes do not give a short first read, but a network may.
    let first = reader.fill_buf()?;
    Ok(first[..first.len().min(6)].to_vec())
}

struct CountedReader<R> {
    source: R,
    raw: Arc<RawCount>,
}

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The format is detected from the first read, so it must not be shorter than a magic number if more bytes
        // follow.
        let mut filled = 0;
        while filled < buffer.len().min(8) {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.raw.failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        self.raw.bytes.fetch_add(filled as u64, Ordering::Relaxed);
        Ok(filled)
    }
}
