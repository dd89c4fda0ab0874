//! The changes that a command made to its root, as a layer of a container image.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use wake_exec::{Change, Changed, Job};
use wake_image::{Declared, ImageError, Images, WrittenLayer, layer_meta};
use wake_model::action::User;
use wake_model::{RelPath, RootFs};
use wake_store::Store;
use wake_store::ware::{EntryPath, LayerEntry, Meter, Node, Web};

use crate::engine::{KeptOutputs, Whereabouts};
use crate::error::StepError;
use crate::pin::{InputPlace, PinnedAction};

/// Prefix that marks the rest of a name as deleted in a layer.
const WHITEOUT: &str = ".wh.";
/// Name that marks the previous content of its directory as deleted.
const OPAQUE: &str = ".wh..wh..opq";
/// The attribute that holds the capabilities of a program.
const CAPABILITY: &str = "security.capability";

/// Writes the layer of `changes`, whose files `job` has saved, as the file `path` of a tree; or returns what cannot be in a layer.
pub(super) fn layer(
    pinned: &PinnedAction,
    changes: Vec<Change>,
    job: &Job,
    path: &RelPath,
    store: &Store,
) -> Result<Result<KeptOutputs, Vec<String>>, StepError> {
    let is_misread =
        |change: &&Change| change.path.split('/').any(|name| name.starts_with(WHITEOUT));
    let misread: Vec<String> = changes.iter().filter(is_misread).map(misread).collect();
    if !misread.is_empty() {
        return Ok(Err(misread));
    }
    let declared = declared(pinned, store)?;
    if let (Some(declared), InputPlace::At(root)) = (&declared, &pinned.root_located) {
        let barred = barred(&changes, declared, root, &pinned.action.user);
        if !barred.is_empty() {
            return Ok(Err(barred));
        }
    }
    let mut entries = BTreeMap::new();
    for change in changes {
        let (path, entry) = entry(change, &job.outputs.into, declared.as_ref())?;
        entries.insert(path, entry);
    }
    let scratch = store.scratch()?;
    let written = WrittenLayer::write(&entries, &scratch.path().join("layer"));
    let written = written.map_err(|error| match error {
        ImageError::Store(error) => StepError::Store(error),
        error => StepError::Image(error.to_string()),
    })?;
    let mut builder = store.build_tree()?;
    builder.add_file(path, &written.place, &written.blob, false)?;
    let (manifest, adopted) = builder.finish_as_outputs()?;
    let (wares, tree) = (Vec::new(), adopted.tree);
    Ok(Ok(KeptOutputs { tree, manifest, wares, bytes: Whereabouts::Here(adopted) }))
}

fn misread(change: &Change) -> String {
    format!(
        "`/{}` has a name that begins with `{WHITEOUT}`, which marks deleted files in a layer",
        change.path
    )
}

/// Returns what `user` should not have been able to change, on a machine where a single user stands for all and nothing
/// prevented it.
///
/// User 0 may change anything. Where the result would depend on the machine, as in directories of other owners, a change is
/// rejected as well: a layer is the same wherever it was made.
fn barred(changes: &[Change], declared: &Declared, root: &Path, user: &User) -> Vec<String> {
    if user.uid == 0 {
        return Vec::new();
    }
    let is_of_user = |path: &str| declared.owner(path)[0] == user.uid;
    let mode = |path: &str| {
        let meta = fs::symlink_metadata(root.join(path)).ok()?;
        Some((meta.is_dir(), meta.permissions().mode()))
    };
    // Whether the user may create and delete names in a directory; in a new one it may.
    let may_name = |dir: &str| match mode(dir) {
        None => true,
        Some(_) if is_of_user(dir) => true,
        Some((_, mode)) if declared.owner(dir)[1] == user.gid => mode & 0o020 != 0,
        Some((_, mode)) => mode & 0o002 != 0,
    };
    let is_barred = |change: &&Change| {
        let path = change.path.as_str();
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        match (&change.what, mode(path)) {
            (Changed::Emptied, _) => !(is_of_user(path) && may_name(path)),
            (Changed::Gone, _) => !(may_name(dir) && is_of_user(path)),
            (_, Some(_)) => !is_of_user(path),
            (_, None) => !may_name(dir),
        }
    };
    let said = |change: &Change| {
        let [owner, _] = declared.owner(&change.path);
        let User { uid, .. } = user;
        match mode(&change.path) {
            Some(_) => {
                format!("`/{}` belongs to user {owner}, and user {uid} changed it", change.path)
            }
            None => {
                format!("`/{}` is in a directory that user {uid} may not write to", change.path)
            }
        }
    };
    changes.iter().filter(is_barred).map(said).collect()
}

/// Returns the owners that the image declares for the root; none if they are all on disk.
fn declared(pinned: &PinnedAction, store: &Store) -> Result<Option<Declared>, StepError> {
    let RootFs::Ware(ware) = &pinned.action.root else { return Ok(None) };
    if wake_exec::keeps_owners() {
        return Ok(None);
    }
    let meter = Meter::default();
    let images = Images::new(store, Web::new(store.route().clone()), &meter);
    Ok(images.declared(ware))
}

/// Adds the entry for a change. The previous owners come from the image, because not every machine can have them on
/// disk.
fn entry(
    change: Change,
    files: &Path,
    declared: Option<&Declared>,
) -> Result<(EntryPath, LayerEntry), StepError> {
    let Change { path, what, mode, owner, kept_owner, kept_mode, capability } = change;
    let at = |path: &str| match path {
        "" => Ok(EntryPath::root()),
        path => EntryPath::parse(path.as_bytes())
            .map_err(|error| StepError::Image(format!("`/{path}` {error}"))),
    };
    let said = declared.filter(|_| kept_owner);
    let owner = said.map_or(owner, |declared| declared.owner(&path));
    let bits = declared.filter(|_| kept_mode && kept_owner);
    let mode = mode | bits.map_or(0, |declared| declared.set_id(&path));
    let (path, node, mode, place) = match what {
        Changed::File { number, size } => {
            (at(&path)?, Node::File { size }, mode, Some(files.join(number.to_string())))
        }
        Changed::Dir => (at(&path)?, Node::Dir, mode, None),
        Changed::Link { target } => (at(&path)?, Node::Symlink { target }, 0o777, None),
        Changed::Pipe => (at(&path)?, Node::Fifo, mode, None),
        Changed::Gone => {
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
            (at(&below(dir, &format!("{WHITEOUT}{name}")))?, Node::File { size: 0 }, 0o644, None)
        }
        Changed::Emptied => (at(&below(&path, OPAQUE))?, Node::File { size: 0 }, 0o644, None),
    };
    let mut meta = layer_meta(node, mode, owner);
    if let Some(capability) = capability {
        meta.xattrs.insert(CAPABILITY.to_owned(), capability);
    }
    Ok((path, (meta, place)))
}

fn below(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}
