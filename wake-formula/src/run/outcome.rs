//! What a command left, packed, and what wake remarks on the run.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use wake_exec::{Finished, Identity};
use wake_model::SandboxLevel;
use wake_store::ware::{Owner, PackFilters, WareId, Warehouse, pack};

use super::task::{Task, Wanted};
use super::{RunError, RunRecord};

/// The filters of an output, owners that are to be kept as numbers: everything there was made by the command.
fn owned(wanted: &Wanted, command: &Identity) -> PackFilters {
    let number = |owner, own| match owner {
        Some(Owner::Pass) => Some(Owner::Id(own)),
        other => other,
    };
    let PackFilters { uid, gid, .. } = wanted.filters;
    PackFilters { uid: number(uid, command.uid), gid: number(gid, command.gid), ..wanted.filters }
}

/// Packs what was taken; a path that does not exist gives the id of nothing.
pub(super) fn results(
    task: &Task,
    taken: &Path,
    targets: &[Option<Warehouse>],
) -> Result<BTreeMap<String, WareId>, RunError> {
    let outputs: Vec<_> = task.outputs.iter().zip(targets).collect();
    outputs
        .par_iter()
        .map(|((name, wanted), target)| {
            let path = wanted.path.below(taken);
            let filters = owned(wanted, &task.identity);
            let ware = pack(&path, wanted.packtype, filters, target.as_ref())
                .map_err(|source| RunError::Output { path: wanted.path.to_string(), source })?;
            Ok(((*name).clone(), ware))
        })
        .collect()
}

/// The remarks that wake adds to a record.
pub(super) fn remarks(record: &mut RunRecord, task: &Task, finished: &Finished, logs: [&[u8]; 2]) {
    let usage = &finished.usage;
    let digest = |bytes: &[u8]| wake_model::BlobDigest::of(bytes).to_string();
    let hermetic = if task.is_hermetic() && !task.network { "yes" } else { "no" };
    let remarks = [
        ("wake.wall_us", usage.wall_us.to_string()),
        ("wake.user_us", usage.user_us.to_string()),
        ("wake.sys_us", usage.sys_us.to_string()),
        ("wake.peak_bytes", usage.peak_bytes.to_string()),
        ("wake.sandbox", SandboxLevel::Strict.as_str().to_owned()),
        ("wake.hermetic", hermetic.to_owned()),
        ("wake.stdout", digest(logs[0])),
        ("wake.stderr", digest(logs[1])),
    ];
    record.metadata.extend(remarks.map(|(key, value)| (key.to_owned(), value)));
}
