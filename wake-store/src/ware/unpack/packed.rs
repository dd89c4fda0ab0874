//! Reads packed wares from their sources.

use super::UnpackError;
use crate::ware::archive::{ExtractError, Stream, Visit, read_tar, read_zip};
use crate::ware::meter::{Meter, Metered};
use crate::ware::node::Coverage;
use crate::ware::policy::ArchivePolicy;
use crate::ware::warehouse::{PackedWare, Upload, WarehouseError};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use wake_model::ware::{PackType, WareId};

/// Returns which nodes the hash of a pack type covers.
pub(super) fn coverage(packtype: PackType) -> Coverage {
    match packtype {
        PackType::Tar | PackType::Zip => Coverage::FilesAndDirs,
        PackType::Tree | PackType::Git => Coverage::EveryNode,
    }
}

/// Checks that the received ware is the requested one.
pub(super) fn verify(asked: &WareId, came: &WareId) -> Result<(), UnpackError> {
    if asked == came {
        return Ok(());
    }
    Err(UnpackError::HashMismatch { asked: asked.clone(), came: came.clone() })
}

/// Reads a packed ware completely, and writes what it reads to `copy`.
pub(super) fn read_packed(
    packtype: PackType,
    packed: PackedWare,
    copy: Option<&mut Upload>,
    policy: ArchivePolicy,
    visitor: &mut dyn Visit,
    meter: &Meter,
) -> Result<(), UnpackError> {
    let PackedWare { bytes, size, address } = packed;
    meter.expect(size);
    let source = Tee { source: Metered { source: bytes, meter }, copy };
    let read = match packtype {
        PackType::Zip => spool(source, policy).and_then(|file| read_zip(&file, policy, visitor)),
        _ => Stream::open(source, policy).and_then(|mut stream| read_tar(&mut stream, visitor)),
    };
    read.map_err(|error| match error {
        // With several warehouses, it matters which one failed.
        ExtractError::Source { source } => {
            WarehouseError::Failed { address, problem: source.to_string() }.into()
        }
        error => error.into(),
    })
}

/// A zip archive is read from its end, so it is first stored in an unnamed file.
fn spool(mut source: impl Read, policy: ArchivePolicy) -> Result<File, ExtractError> {
    let failed = ExtractError::unread;
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

/// Copies what is read, if there is a destination for it.
struct Tee<'a, R> {
    source: R,
    copy: Option<&'a mut Upload>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        if let Some(copy) = &mut self.copy {
            copy.write_all(&buffer[..n])?;
        }
        Ok(n)
    }
}
