//! The output of a job, as the wares that its formula would give.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use wake_exec::Job;
use wake_store::ware::{PackFilters, PackType, WareId, pack};

use super::staging::set_mode;
use super::{FromJobError, rooted};

/// Wares, by the path of the output they are packed from.
pub type OutputWares = BTreeMap<String, WareId>;

/// Returns the wares of the outputs of `job` in `tree`; `scratch` is an empty directory.
///
/// A module's outputs keep only the executable bit of a file's mode. A formula's keep all of it, so these are the same if
/// the command leaves the default modes of files, 0644 and 0755.
pub fn made(job: &Job, tree: &Path, scratch: &Path) -> Result<OutputWares, FromJobError> {
    let mut made = BTreeMap::new();
    for (number, decl) in job.outputs.declared.iter().enumerate() {
        let copy = scratch.join(number.to_string());
        plain_copy(&tree.join(decl.path.as_str()), &copy)?;
        let ware = pack(&copy, PackType::Tar, PackFilters::FLATTEN, None)?;
        made.insert(rooted(&job.outputs.base.join(&decl.path))?.to_string(), ware);
    }
    Ok(made)
}

fn plain_copy(from: &Path, to: &Path) -> Result<(), FromJobError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::symlink_metadata(from).map_err(FromJobError::at(from))?;
    if metadata.is_symlink() {
        let target = fs::read_link(from).map_err(FromJobError::at(from))?;
        return symlink(target, to).map_err(FromJobError::at(to));
    }
    if metadata.is_dir() {
        fs::create_dir(to).map_err(FromJobError::at(to))?;
        for entry in fs::read_dir(from).map_err(FromJobError::at(from))? {
            let name = entry.map_err(FromJobError::at(from))?.file_name();
            plain_copy(&from.join(&name), &to.join(&name))?;
        }
        return set_mode(to, 0o755);
    }
    fs::copy(from, to).map_err(FromJobError::at(to))?;
    let executable = metadata.permissions().mode() & 0o111 != 0;
    set_mode(to, if executable { 0o755 } else { 0o644 })
}
