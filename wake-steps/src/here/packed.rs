//! Outputs that are kept as packed wares: each becomes one file, named by its id.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use rayon::prelude::*;
use wake_exec::Job;
use wake_model::action::User;
use wake_model::{BlobDigest, Manifest, Node, RelPath, WareDecl, WareId};
use wake_store::StoreError;
use wake_store::ware::{Owner, PackFilters, Warehouse, pack_metered};

use super::Here;
use crate::cancel::Cancel;
use crate::engine::{KeptOutputs, Whereabouts};
use crate::error::StepError;
use crate::pin::PinnedAction;

impl Here {
    /// Packs what the job took; a path that does not exist gives the ware of nothing.
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

fn pack_one(
    from: &Path,
    output: &WareDecl,
    user: &User,
    into: &Path,
    cancel: &Cancel,
) -> Result<WareId, StepError> {
    let filters: PackFilters = output.filters.parse().unwrap_or(PackFilters::UNSET);
    let target = Warehouse::File(into.to_owned());
    pack_metered(from, output.packtype, owned(filters, user), Some(&target), cancel.meter())
        .map_err(|source| StepError::Output { path: format!("/{}", output.path), source })
}

/// The filters with owners that are to be kept as numbers: everything there was made by the command.
fn owned(filters: PackFilters, user: &User) -> PackFilters {
    let number = |owner, own| match owner {
        Some(Owner::Pass) => Some(Owner::Id(own)),
        other => other,
    };
    let PackFilters { uid, gid, .. } = filters;
    PackFilters { uid: number(uid, user.uid), gid: number(gid, user.gid), ..filters }
}

/// What the packed files hold.
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
