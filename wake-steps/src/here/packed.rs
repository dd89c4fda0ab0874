//! Outputs kept as packed wares: each becomes one file, named by its id.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rayon::prelude::*;
use wake_exec::Job;
use wake_model::action::User;
use wake_model::{BlobDigest, Manifest, Node, RelPath, RootFs, WareDecl, WareId};
use wake_store::StoreError;
use wake_store::ware::{Owner, PackFilters, Warehouse, copy_tree, pack_metered};

use super::Here;
use crate::cancel::Cancel;
use crate::engine::{KeptOutputs, Whereabouts};
use crate::error::StepError;
use crate::pin::{InputPlace, PinnedAction};

impl Here {
    /// Packs the outputs of the job; a path that does not exist gives the empty ware.
    pub(super) fn pack(
        &self,
        pinned: &PinnedAction,
        outputs: &[WareDecl],
        job: &Job,
        cancel: &Cancel,
    ) -> Result<KeptOutputs, StepError> {
        let place = self.store.scratch()?;
        let dir = place.path().join("packed");
        let failed = |source| StoreError::Io { path: dir.clone(), source };
        fs::create_dir(&dir).map_err(failed)?;
        for output in outputs.iter().filter(|output| output.path.is_root()) {
            add_system(pinned, &job.outputs.into.join(output.path.as_str()), cancel)?;
        }
        let wares: Result<Vec<WareId>, StepError> = outputs
            .par_iter()
            .enumerate()
            .map(|(number, output)| {
                let below = output.path.strip(&pinned.action.work).unwrap_or_default();
                let from = job.outputs.into.join(below.as_str());
                let file = dir.join(format!("{number}.new"));
                let ware = pack_one(&from, output, &pinned.action.user, &file, cancel)?;
                if !ware.is_nothing() {
                    fs::rename(&file, dir.join(ware.to_string())).map_err(failed)?;
                }
                Ok(ware)
            })
            .collect();
        let wares = wares?;
        let manifest = manifest_of(&dir, &wares).map_err(failed)?;
        let adopted = self.adopt(&dir, &manifest)?;
        Ok(KeptOutputs { tree: adopted.tree, manifest, wares, bytes: Whereabouts::Here(adopted) })
    }
}

/// Directories that the sandbox hides with its own.
const SYSTEM: [&str; 2] = ["dev", "proc"];

/// Adds these directories of `pinned`'s root to the copy of the root at `into`, which keeps its own times and mode.
fn add_system(pinned: &PinnedAction, into: &Path, cancel: &Cancel) -> Result<(), StepError> {
    let (RootFs::Ware(_), InputPlace::At(root)) = (&pinned.action.root, &pinned.root_located)
    else {
        return Ok(());
    };
    let failed = |source| StoreError::Io { path: into.to_owned(), source };
    let top = fs::metadata(into).map_err(failed)?;
    let mode = top.permissions().mode();
    fs::set_permissions(into, Permissions::from_mode(mode | 0o700)).map_err(failed)?;
    for name in SYSTEM {
        let from = root.join(name);
        if from.symlink_metadata().is_ok() {
            copy_tree(&from, &into.join(name), cancel.meter())
                .map_err(|source| StepError::Ware { path: format!("/{name}"), source })?;
        }
    }
    fs::set_permissions(into, top.permissions()).map_err(failed)?;
    let modified = top.modified().map_err(failed)?;
    Ok(File::open(into).and_then(|dir| dir.set_modified(modified)).map_err(failed)?)
}

fn pack_one(
    from: &Path,
    output: &WareDecl,
    user: &User,
    into: &Path,
    cancel: &Cancel,
) -> Result<WareId, StepError> {
    let filters: PackFilters = output.filters.parse().unwrap_or(PackFilters::UNSET);
    // Without support for owners, everything was created by the command's user.
    let filters = if wake_exec::keeps_owners() { filters } else { owned(filters, user) };
    let target = Warehouse::File(into.to_owned());
    pack_metered(from, output.packtype, filters, Some(&target), cancel.meter())
        .map_err(|source| StepError::Output { path: format!("/{}", output.path), source })
}

/// Returns the filters with fixed owners in place of owners to keep.
fn owned(filters: PackFilters, user: &User) -> PackFilters {
    let number = |owner, own| match owner {
        Some(Owner::Pass) => Some(Owner::Id(own)),
        other => other,
    };
    let PackFilters { uid, gid, .. } = filters;
    PackFilters { uid: number(uid, user.uid), gid: number(gid, user.gid), ..filters }
}

/// Returns the manifest of the packed files.
fn manifest_of(dir: &Path, wares: &[WareId]) -> std::io::Result<Manifest> {
    let names: BTreeSet<String> =
        wares.iter().filter(|ware| !ware.is_nothing()).map(WareId::to_string).collect();
    let mut nodes = Vec::with_capacity(names.len());
    for name in names {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(dir.join(&name))?)?;
        let (blob, size) = (BlobDigest(hasher.finalize().into()), hasher.count());
        let at = RelPath::parse(&name).map_err(|_| std::io::ErrorKind::InvalidData)?;
        nodes.push((at, Node::File { blob, size, executable: false }));
    }
    Manifest::new(nodes).map_err(|_| std::io::ErrorKind::InvalidData.into())
}
