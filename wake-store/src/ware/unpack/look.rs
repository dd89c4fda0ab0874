//! Scans, lists and copies packed wares without unpacking them.

use super::UnpackError;
use super::packed::{coverage, read_packed, verify};
use crate::ware::bucket::Bucket;
use crate::ware::entry_path::EntryPath;
use crate::ware::extraction::Extraction;
use crate::ware::filters::{Rules, UnpackFilters};
use crate::ware::meter::Meter;
use crate::ware::node::Meta;
use crate::ware::policy::ArchivePolicy;
use crate::ware::warehouse::{Upload, Warehouse, open_first};
use wake_model::ware::{PackType, WareId};

/// Computes the id of the packed ware in `source`, without unpacking it. What `filters` reject is refused; `meter`
/// counts the bytes read, and may stop the operation.
pub fn scan(
    packtype: PackType,
    source: &Warehouse,
    filters: UnpackFilters,
    policy: ArchivePolicy,
    meter: &Meter,
) -> Result<WareId, UnpackError> {
    scan_nodes(packtype, source, filters, policy, meter).map(|(ware, _)| ware)
}

/// Lists the contents of the packed ware in `source`, in hashing order and with its id; `meter` counts the bytes read,
/// and may stop the operation.
pub fn list(
    packtype: PackType,
    source: &Warehouse,
    policy: ArchivePolicy,
    meter: &Meter,
) -> Result<(WareId, Vec<(EntryPath, Meta)>), UnpackError> {
    let (ware, bucket) = scan_nodes(packtype, source, UnpackFilters::LOSSLESS, policy, meter)?;
    Ok((ware, bucket.iter().map(|(path, meta)| (path.clone(), meta.clone())).collect()))
}

fn scan_nodes(
    packtype: PackType,
    source: &Warehouse,
    filters: UnpackFilters,
    policy: ArchivePolicy,
    meter: &Meter,
) -> Result<(WareId, Bucket), UnpackError> {
    if packtype == PackType::Git {
        return Err(UnpackError::Unsupported { packtype, verb: "scanned" });
    }
    let packed = source.open(&WareId::nothing(packtype), meter)?;
    let rules = Rules::of(&filters);
    let mut extraction = Extraction::new(policy, rules, coverage(packtype), None, meter);
    read_packed(packtype, packed, None, policy, &mut extraction, meter)?;
    let extracted = extraction.finish()?;
    Ok((WareId::new(packtype, extracted.before), extracted.bucket))
}

/// Copies the packed ware from the first of `sources` that has it to `target`, if its hash is right; `meter` counts the
/// bytes read, and may stop the operation.
pub fn mirror(
    ware: &WareId,
    target: &Warehouse,
    sources: &[Warehouse],
    policy: ArchivePolicy,
    meter: &Meter,
) -> Result<(), UnpackError> {
    let packtype = ware.packtype();
    if packtype == PackType::Git {
        return Err(UnpackError::Unsupported { packtype, verb: "mirrored" });
    }
    let mut upload = Upload::begin(target)?;
    let rules = Rules::of(&UnpackFilters::LOSSLESS);
    let mut extraction = Extraction::new(policy, rules, coverage(packtype), None, meter);
    let packed = open_first(ware, sources, meter)?;
    read_packed(packtype, packed, Some(&mut upload), policy, &mut extraction, meter)?;
    verify(ware, &WareId::new(packtype, extraction.finish()?.before))?;
    Ok(upload.commit(ware)?)
}
