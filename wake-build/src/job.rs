//! A pinned step as the job that the sandbox is given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use wake_exec::{
    Access, FileSignature, Identity, Input, Job, Limits, Network, Root, Scratch, Seal, Source,
};
use wake_model::action::Command;
use wake_model::{Action, ActionDigest, InputNode, RootFs};
use wake_store::Store;

use crate::diagnostic::{Class, Diagnostic, Failure};
use crate::explain::View;
use crate::files::Files;
use crate::pin::{CheckoutFile, Pinned, PlacedSource};
use crate::session::Session;

/// Files of the checkout from this size on are mounted instead of copied.
const MOUNT_FROM: u64 = 1 << 20;

/// One step of a plan with everything that its command needs on this machine.
#[derive(Clone, Debug)]
pub struct StepJob {
    /// How it is called.
    pub label: String,
    /// The key of the action cache.
    pub key: ActionDigest,
    /// What the sandbox would be asked for; its outputs have no place yet.
    pub job: Job,
    /// Where the outputs of an earlier run lie, if that is remembered.
    pub outputs: Option<PathBuf>,
}

impl Session {
    /// The job of the one module that `target` names; what it needs must have been built.
    pub fn job_of(&self, target: &str, config: Option<&Value>) -> Result<StepJob, Failure> {
        self.with_plan(&[target.to_owned()], config, |view| {
            let requested = view.requested();
            let &[node] = requested.as_slice() else {
                return Err(not_one(target, &view.labels(&requested)).into());
            };
            view.settle()?;
            self.job_at(view, node)
        })
    }

    /// The job that has this key, among all modules of the workspace as it is now; none if none has.
    pub fn job_with_key(&self, key: &ActionDigest) -> Result<Option<StepJob>, Failure> {
        self.with_plan(&["//...".to_owned()], None, |view| {
            view.settle()?;
            for node in view.known() {
                if view.pin(node)?.action.digest() == *key {
                    return self.job_at(view, node).map(Some);
                }
            }
            Ok(None)
        })
    }

    fn job_at(
        &self,
        view: &View<'_>,
        node: petgraph::graph::NodeIndex,
    ) -> Result<StepJob, Failure> {
        let label = view.label(node).to_owned();
        if let Some(need) = view.waits_for(node) {
            let message = format!("{label} needs {need}, which is not built as it is now");
            let help = format!("build what it needs: `wake build {label}`");
            return Err(Diagnostic::error(Class::Action, message).help(help).into());
        }
        let pinned = view.pin(node)?;
        if let Command::Collect { .. } = pinned.action.command {
            let message = format!("{label} runs no command: it only collects files");
            return Err(Diagnostic::error(Class::Usage, message).into());
        }
        let supply = Supply { store: &self.store, files: view.files() };
        Ok(StepJob {
            key: pinned.action.digest(),
            job: supply.job(&pinned, Path::new(""), None),
            outputs: view.result(node).map(|tree| self.store.tree_place(&tree)),
            label,
        })
    }
}

fn not_one(target: &str, labels: &[&str]) -> Diagnostic {
    let message = match labels {
        [] => format!("`{target}` names no module"),
        _ => format!("`{target}` names {} modules, and one is wanted", labels.len()),
    };
    let diagnostic = Diagnostic::error(Class::Usage, message);
    if labels.is_empty() { diagnostic } else { diagnostic.help(labels.join(", ")) }
}

/// Where the inputs of jobs lie on this machine.
#[derive(Clone, Copy)]
pub(crate) struct Supply<'a> {
    /// What was made.
    pub store: &'a Store,
    /// The checkout.
    pub files: &'a Files<'a>,
}

impl Supply<'_> {
    /// The job of `pinned`, whose outputs go to `into`; `disk` is for what it writes, if that is to lie on disk.
    pub(crate) fn job(
        &self,
        pinned: &Pinned,
        into: &Path,
        disk: Option<&wake_store::Scratch>,
    ) -> Job {
        let Action { command, root, user, network, sandbox, .. } = &pinned.action;
        let command = match command {
            Command::Run(run) => wake_exec::Command {
                program: run.program.clone(),
                args: run.args.clone(),
                env: run.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                stdin: run.stdin.clone().into_bytes(),
                cwd: run.cwd.clone(),
            },
            Command::Collect { .. } => wake_exec::Command::default(),
        };
        let mut job = Job::module(command, into.to_owned());
        let work = job.work.clone().unwrap_or_default();
        job.identity = Identity { uid: user.uid, gid: user.gid, hostname: user.hostname.clone() };
        job.root = match (root, &pinned.root) {
            (RootFs::Tree(_), Some(made)) => {
                let host = self.store.tree_place(&made.tree).join(made.below.as_str());
                Root::Dir { host, access: Access::ReadOnly }
            }
            (RootFs::Host(_), _) => Root::Host,
            (RootFs::Empty | RootFs::Tree(_), _) => Root::Empty,
        };
        job.inputs = pinned
            .layout
            .iter()
            .map(|(path, placed)| Input {
                path: work.join(path),
                source: self.source(&placed.node, &placed.source),
            })
            .collect();
        job.outputs.declared.clone_from(&pinned.declared);
        job.network = if *network { Network::Host } else { Network::None };
        job.level = *sandbox;
        if let Some(disk) = disk {
            job.scratch = Scratch::Disk(disk.path().to_owned());
        }
        job.limits = Limits {
            wall: pinned.limits.timeout.map(Duration::from_secs_f64),
            memory: pinned.limits.memory,
            ..Limits::default()
        };
        job
    }

    fn source(&self, node: &InputNode, source: &PlacedSource) -> Source {
        match (node, source) {
            (InputNode::File { blob, executable }, PlacedSource::Checkout(file)) => {
                let executable = *executable;
                match &file.bytes {
                    Some(bytes) => Source::Bytes { bytes: bytes.clone(), executable },
                    None => Source::File {
                        host: self.files.absolute_below(file.dir.as_str(), file.below.as_str()),
                        blob: *blob,
                        executable,
                        seal: self.seal(file),
                    },
                }
            }
            (InputNode::File { blob, executable }, PlacedSource::Store(tree, path, _)) => {
                Source::File {
                    host: self.store.tree_place(tree).join(path.as_str()),
                    blob: *blob,
                    executable: *executable,
                    seal: Seal::Store,
                }
            }
            (InputNode::File { executable, .. }, PlacedSource::Bytes(bytes)) => {
                Source::Bytes { bytes: bytes.clone(), executable: *executable }
            }
            (InputNode::Tree(_), PlacedSource::Store(tree, path, _)) => {
                let place = self.store.tree_place(tree);
                let host = if path.is_root() { place } else { place.join(path.as_str()) };
                Source::Mount { host, access: Access::ReadOnly }
            }
            (InputNode::Link { target }, _) => Source::Link { target: target.clone() },
            (InputNode::Dir | InputNode::Tree(_) | InputNode::File { .. }, _) => Source::Dir,
        }
    }

    /// Small files are hashed while they are copied; large ones must keep the signature they had.
    fn seal(&self, file: &CheckoutFile) -> Seal {
        let is_large = file.size >= MOUNT_FROM;
        let signature = is_large.then(|| self.files.signature(&file.path())).flatten();
        match signature {
            Some(known) => Seal::Signature(FileSignature {
                dev: known.inode.0,
                ino: known.inode.1,
                size: known.size,
                mtime_ns: known.mtime.into(),
                ctime_ns: known.ctime.into(),
            }),
            None => Seal::Digest,
        }
    }
}
