//! The bytes of a packed ware, from where they come.

use super::UnpackError;
use crate::ware::archive::{ExtractError, Stream, Visit, read_tar, read_zip};
use crate::ware::id::{PackType, WareId};
use crate::ware::meter::{Meter, Metered};
use crate::ware::node::Coverage;
use crate::ware::policy::Policy;
use crate::ware::warehouse::{Packed, Upload};
use std::fs::File;
use std::io::{self, Read, Seek, Write};

/// Which nodes the hash of a pack type counts.
pub(super) fn coverage(packtype: PackType) -> Coverage {
    match packtype {
        PackType::Tar | PackType::Zip => Coverage::FilesAndDirs,
        PackType::Tree | PackType::Git => Coverage::EveryNode,
    }
}

/// The ware that came must be the one that was asked for.
pub(super) fn verify(asked: &WareId, came: &WareId) -> Result<(), UnpackError> {
    if asked == came {
        return Ok(());
    }
    Err(UnpackError::HashMismatch { asked: asked.clone(), came: came.clone() })
}

/// The bytes of a packed ware, counted.
pub(super) fn metered(packed: Packed, meter: &Meter) -> Metered<'_, Box<dyn Read + Send>> {
    meter.expect(packed.size);
    Metered { source: packed.bytes, meter }
}

/// Reads a packed ware from its first byte to its last.
pub(super) fn read_packed(
    packtype: PackType,
    source: impl Read,
    policy: Policy,
    visitor: &mut dyn Visit,
) -> Result<(), ExtractError> {
    if packtype == PackType::Zip {
        return read_zip(&spool(source, policy)?, policy, visitor);
    }
    read_tar(&mut Stream::open(source, policy)?, visitor)
}

/// A zip archive is read from its end, so it is first brought to disk, under no name.
fn spool(mut source: impl Read, policy: Policy) -> Result<File, ExtractError> {
    let failed = |source| ExtractError::Source { source };
    let mut file = tempfile::tempfile_in("/var/tmp").map_err(failed)?;
    let copied =
        io::copy(&mut source.by_ref().take(policy.max_bytes + 1), &mut file).map_err(failed)?;
    if copied > policy.max_bytes {
        let (of, path) = ("bytes", ".".to_owned());
        return Err(ExtractError::Limit { of, most: policy.max_bytes, path });
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// Copies what is read.
pub(super) struct Tee<'a, R> {
    pub(super) source: R,
    pub(super) copy: &'a mut Upload,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.copy.write_all(&buffer[..n])?;
        Ok(n)
    }
}
