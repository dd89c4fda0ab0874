//! The content of an archive entry while it is read.

use super::ExtractError;
use crate::ware::hash::{Sha384Digest, Sha384Stream};
use std::io::Write;
use std::path::Path;

/// The bytes of one entry. Unlike `Read`, it has its own error type.
pub(crate) trait Content {
    /// Reads some bytes into `buffer`; 0 at the end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError>;
}

/// The content of an entry without content.
pub(crate) struct NoContent;

impl Content for NoContent {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ExtractError> {
        Ok(0)
    }
}

impl Content for &[u8] {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError> {
        let n = self.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self[..n]);
        *self = &self[n..];
        Ok(n)
    }
}

/// Hashes `content` to its end and copies it into `file`, if there is one; uses 64 KiB of memory whatever the length.
pub(crate) fn copy_hashed(
    content: &mut dyn Content,
    mut file: Option<(&mut dyn Write, &Path)>,
) -> Result<Sha384Digest, ExtractError> {
    let mut stream = Sha384Stream::default();
    let mut buffer = [0u8; 65536];
    loop {
        let n = content.read(&mut buffer)?;
        if n == 0 {
            return Ok(stream.finish());
        }
        stream.update(&buffer[..n]);
        if let Some((file, path)) = &mut file {
            file.write_all(&buffer[..n])
                .map_err(|source| ExtractError::Write { path: path.to_path_buf(), source })?;
        }
    }
}
