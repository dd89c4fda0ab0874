//! Depfiles: a step whose command lists what it read is a cache hit while those files stay the same, whatever else changes.
//!
//! Two steps are *alike* if they differ only in the content of files that a command may leave unread. For steps that are alike
//! the store remembers, with the key of each, the files that its command read and the digest of their contents. A file that is
//! added or removed makes a step unlike all before: a compiler that once looked for a header in vain would find it now.
//!
//! A claim is only the command's word. It is trusted where the step asks for that, and never in the weak sandbox, where a
//! command can name a file by a path that wake does not know.
//! command can name a file by a path that nobody here knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wake_model::action::Command;
use wake_model::encode::{Domain, digest_of};
use wake_model::place::module_json;
use wake_model::{
    Action, ActionDigest, BlobDigest, Digest, InputNode, Node, RelPath, SandboxLevel,
};
use wake_store::{ActionEntry, Corruption, Log, Logs, Lookup, Store, StoreError, StoredAction};

use crate::depfile::prerequisites;
use crate::pin::{InputPlace, PinnedAction};
use crate::reason::Reason;
use crate::step::Input;

/// The most claims kept for steps that are alike; the oldest is dropped first.
const MOST_CLAIMS: usize = 4;
/// The most links followed on the way to a file; more count as a loop.
const MOST_LINKS: usize = 40;

/// What one command read.
#[derive(Serialize, Deserialize)]
struct Claim {
    /// Its action.
    action: ActionDigest,
    /// The digest of the files' contents.
    content: String,
    /// The files, from the root directory.
    read: Vec<RelPath>,
}

/// What a command can see at a path from the root directory.
enum Visible {
    File { blob: BlobDigest, executable: bool },
    Link(String),
}

/// Why a depfile is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// It cannot be parsed.
    #[error("its depfile is not a list of Make rules")]
    Syntax,
    /// It names something in the working directory that is not an input.
    #[error("its depfile names `{0}`, which is not one of its inputs")]
    Unseen(String),
}

/// What the store remembers of an action.
#[derive(Default)]
pub(crate) struct Remembered {
    /// Its result, and why it counts.
    pub(crate) result: Option<(StoredAction, Reason)>,
    /// Damage that was found in a result.
    pub(crate) damaged: Option<Corruption>,
}

/// Looks up the action `key`: its own result, or that of a step that is alike whose command did not read what changed.
pub(crate) fn look_up(
    pinned: &PinnedAction,
    store: &Store,
    key: &ActionDigest,
) -> Result<Remembered, StoreError> {
    if !pinned.is_hermetic() {
        return Ok(Remembered::default());
    }
    let damaged = match store.action(key)? {
        Lookup::Hit(stored) => {
            let result = Some((stored, Reason::Remembered));
            return Ok(Remembered { result, damaged: None });
        }
        Lookup::Corrupt(corruption) => Some(corruption),
        Lookup::Miss => None,
    };
    let result = recall(pinned, store)?.map(|stored| (stored, Reason::Unread));
    Ok(Remembered { result, damaged })
}

/// Stores the result of a step that is alike under the action `key`, whose canonical bytes are `action`.
pub(crate) fn adopt(
    store: &Store,
    stored: &StoredAction,
    key: ActionDigest,
    action: &[u8],
) -> Result<(), StoreError> {
    let stdout = store.log(stored, Log::Stdout)?.unwrap_or_default();
    let stderr = store.log(stored, Log::Stderr)?.unwrap_or_default();
    let logs = Logs { stdout: &stdout, stderr: &stderr };
    let (record, tree, stamps) = (stored.record(), stored.tree(), stored.stamps());
    store.put_action(ActionEntry { digest: key, action, record, tree, stamps, logs })
}

/// Returns the result of a step that is alike and read exactly what is there now.
fn recall(pinned: &PinnedAction, store: &Store) -> Result<Option<StoredAction>, StoreError> {
    let Some(sight) = Sight::of(pinned, store)? else { return Ok(None) };
    let claims = read_claims(store, &sight.alike);
    for claim in claims.iter().rev() {
        if sight.content(&claim.read).as_deref() != Some(claim.content.as_str()) {
            continue;
        }
        if let Lookup::Hit(stored) = store.action(&claim.action)? {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

/// Returns a digest of all that the command of a step will read, if a step that is alike recorded what it read and those files
/// are the same here. Steps with the same digest have the same result.
pub fn read_name(pinned: &PinnedAction, store: &Store) -> Result<Option<Digest>, StoreError> {
    let Some(sight) = Sight::of(pinned, store)? else { return Ok(None) };
    let claims = read_claims(store, &sight.alike);
    let holds = |claim: &&Claim| sight.content(&claim.read).as_deref() == Some(&*claim.content);
    let name = |claim: &Claim| {
        digest_of(Domain::Record, |e| {
            e.list(4);
            e.text("read");
            e.text(&sight.alike.to_string());
            e.text(&claim.content);
            e.list(claim.read.len());
            claim.read.iter().for_each(|path| e.text(path.as_str()));
        })
    };
    Ok(claims.iter().rev().find(holds).map(name))
}

/// Remembers what the command of the action `key` lists in its depfile.
pub(crate) fn remember(
    pinned: &PinnedAction,
    store: &Store,
    key: ActionDigest,
    depfile: &[u8],
) -> Result<Result<(), ClaimError>, StoreError> {
    let Some(sight) = Sight::of(pinned, store)? else { return Ok(Ok(())) };
    let Some(names) = prerequisites(depfile) else { return Ok(Err(ClaimError::Syntax)) };
    let mut read = Vec::with_capacity(names.len());
    for name in names {
        match sight.named(&name, pinned) {
            Named::File(path) => read.push(path),
            Named::OfRoot => {}
            Named::Unseen => return Ok(Err(ClaimError::Unseen(name))),
        }
    }
    read.sort_unstable();
    read.dedup();
    let Some(content) = sight.content(&read) else { return Ok(Ok(())) };
    let mut claims = read_claims(store, &sight.alike);
    claims.retain(|claim| claim.action != key && claim.content != content);
    claims.push(Claim { action: key, content, read });
    let surplus = claims.len().saturating_sub(MOST_CLAIMS);
    claims.drain(..surplus);
    if let Ok(bytes) = serde_json::to_vec(&claims) {
        store.memo().put(sight.alike, bytes);
    }
    Ok(Ok(()))
}

fn read_claims(store: &Store, alike: &Digest) -> Vec<Claim> {
    let bytes = store.memo().get(alike);
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// What a step's command can see.
struct Sight {
    /// A digest that is equal for steps that are alike.
    alike: Digest,
    visible: BTreeMap<RelPath, Visible>,
}

/// What a name in a depfile refers to.
enum Named {
    /// This input file.
    File(RelPath),
    /// Part of the root file system, or created by the command outside its working directory.
    OfRoot,
    /// Something in the working directory that is not an input.
    Unseen,
}

impl Sight {
    /// Returns none for a step whose depfile is not trusted.
    fn of(pinned: &PinnedAction, store: &Store) -> Result<Option<Sight>, StoreError> {
        let (action, Some(depfile)) = (&pinned.action, &pinned.terms.depfile) else {
            return Ok(None);
        };
        if action.sandbox == SandboxLevel::Weak || !pinned.is_hermetic() {
            return Ok(None);
        }
        let Some(visible) = visible(pinned, store)? else { return Ok(None) };
        let always = always_read(pinned, &visible);
        let is_whole = |node: &InputNode| {
            matches!(node, InputNode::Dir | InputNode::Ware(_) | InputNode::Mount { .. })
        };
        let whole = action.inputs.iter().filter(|(_, node)| is_whole(node));
        let inputs = whole.map(|(path, node)| (path.clone(), node.clone())).collect();
        let frame = Action { inputs, own_files: None, ..action.clone() };
        let alike = digest_of(Domain::Record, |e| {
            e.list(3 + 3 * visible.len());
            e.text("claims");
            e.text(&frame.digest().to_string());
            e.text(depfile.as_str());
            for (path, node) in &visible {
                let (kind, content) = match node {
                    Visible::File { executable: false, .. } => ("file", None),
                    Visible::File { executable: true, .. } => ("executable", None),
                    Visible::Link(target) => ("link", Some(target.clone())),
                };
                let read = match node {
                    Visible::File { blob, .. } if always.contains(path) => Some(blob.to_string()),
                    _ => content,
                };
                let words = [path.as_str(), kind, read.as_deref().unwrap_or_default()];
                words.into_iter().for_each(|word| e.text(word));
            }
        });
        Ok(Some(Sight { alike, visible }))
    }

    /// Returns the digest of the files' contents, or none if one of them is missing.
    fn content(&self, files: &[RelPath]) -> Option<String> {
        let blob = |path: &RelPath| match self.visible.get(path)? {
            Visible::File { blob, .. } => Some(blob.to_string()),
            Visible::Link(_) => None,
        };
        let blobs: Option<Vec<String>> = files.iter().map(blob).collect();
        let blobs = blobs?;
        let digest = digest_of(Domain::Record, |e| {
            e.list(1 + blobs.len());
            e.text("read");
            blobs.iter().for_each(|blob| e.text(blob));
        });
        Some(digest.to_string())
    }

    /// Resolves `name` as the command sees it from its working directory.
    fn named(&self, name: &str, pinned: &PinnedAction) -> Named {
        let Command::Run(run) = &pinned.action.command else { return Named::Unseen };
        let whole = if name.starts_with('/') { name } else { &format!("{}/{name}", run.cwd) };
        match followed(&self.visible, whole) {
            Some(at) if self.visible.contains_key(&at) => Named::File(at),
            Some(at) if !at.starts_with(&pinned.action.work) => Named::OfRoot,
            _ => Named::Unseen,
        }
    }
}

/// Resolves the path `whole` from the root directory through visible links; none for a loop.
fn followed(visible: &BTreeMap<RelPath, Visible>, whole: &str) -> Option<RelPath> {
    let mut open: Vec<&str> = whole.split('/').rev().collect();
    let (mut at, mut links) = (RelPath::root(), 0);
    while let Some(part) = open.pop() {
        match part {
            "" | "." => continue,
            ".." => at = at.parent().unwrap_or_default(),
            part => at = at.child(part).ok()?,
        }
        if let Some(Visible::Link(target)) = visible.get(&at) {
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            let is_absolute = target.starts_with('/');
            at = if is_absolute { RelPath::root() } else { at.parent().unwrap_or_default() };
            open.extend(target.split('/').rev());
        }
    }
    Some(at)
}

/// Returns the files that every command counts as having read: its program, and the description of its module.
fn always_read(pinned: &PinnedAction, visible: &BTreeMap<RelPath, Visible>) -> Vec<RelPath> {
    let module = pinned.action.work.join(&module_json());
    let program = pinned.program_path();
    let program = program.and_then(|program| followed(visible, program.as_str()));
    std::iter::once(module).chain(program).collect()
}

/// Returns every file and link that a command can see besides its root file system; none if the store lacks one of them.
fn visible(
    pinned: &PinnedAction,
    store: &Store,
) -> Result<Option<BTreeMap<RelPath, Visible>>, StoreError> {
    let mut found = BTreeMap::new();
    for (path, input, node, located) in pinned.parts() {
        let at = pinned.action.work.join(path);
        match node {
            InputNode::File { blob, executable } => {
                found.insert(at, Visible::File { blob, executable });
            }
            InputNode::Link { target } => {
                found.insert(at, Visible::Link(target));
            }
            InputNode::Tree(digest) => {
                let (whole, below) = match (input, located) {
                    (Input::Output { below, .. }, InputPlace::In(tree)) => (*tree, below.clone()),
                    _ => (digest, RelPath::root()),
                };
                let Some(manifest) = store.manifest(&whole)? else { return Ok(None) };
                let inside = manifest
                    .iter()
                    .filter_map(|(path, node)| Some((at.join(&path.strip(&below)?), node)));
                for (path, node) in inside {
                    let visible = match node {
                        Node::File { blob, executable, size: _ } => {
                            Visible::File { blob: *blob, executable: *executable }
                        }
                        Node::Link { target } => Visible::Link(target.clone()),
                        Node::Dir => continue,
                    };
                    found.insert(path, visible);
                }
            }
            InputNode::Dir | InputNode::Ware(_) | InputNode::Mount { .. } => {}
        }
    }
    Ok(Some(found))
}
