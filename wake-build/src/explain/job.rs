//! The job of one module, for printing it as a document.

use std::path::{Path, PathBuf};

use petgraph::graph::NodeIndex;
use wake_exec::Job;
use wake_model::action::Command;
use wake_model::{ActionDigest, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::shell_line::shell_word;
use wake_steps::{Input, here};

use super::Explained;
use super::view::View;
use crate::build::check_runs;
use crate::lower::step_id;
use crate::pkg_place::PkgPlace;
use crate::session::Session;
use crate::target::{TargetConfig, TargetPattern};

/// One step of a plan, with everything that its command needs on this machine.
#[derive(Clone, Debug)]
pub struct StepJob {
    /// Its label.
    pub label: String,
    /// Its key in the action cache.
    pub key: ActionDigest,
    /// The job for the sandbox, with no place for outputs yet.
    pub job: Job,
    /// Where the outputs of an earlier run are, if the step is remembered.
    pub outputs: Option<PathBuf>,
    /// The directory of its package, absolute.
    pub dir: PathBuf,
    /// For inputs that modules of the checkout produce, by path from the working directory: where the same file would lie in
    /// their packages. Files that these modules generate are not there.
    pub collected: Vec<(RelPath, PathBuf)>,
}

impl Session {
    /// Returns the job of the one module that `target` names; its dependencies must have been built.
    pub fn job_of(
        &self,
        target: &TargetPattern,
        config: Option<&TargetConfig>,
    ) -> Result<StepJob, Failure> {
        self.with_plan(std::slice::from_ref(target), config, |view| {
            let requested = view.requested();
            let &[node] = requested.as_slice() else {
                let labels: Vec<_> = requested.iter().map(|&node| view.label(node)).collect();
                return Err(not_one(target.as_str(), &labels).into());
            };
            view.outlook.plan()?;
            self.job_at(view, node)
        })
        .map(|seen| seen.answer)
    }

    /// Returns the job with this key among all modules of the workspace as it is now; none if there is none.
    pub fn job_with_key(&self, key: &ActionDigest) -> Result<Option<StepJob>, Failure> {
        self.with_plan(&["//...".into()], None, |view| {
            let known = view.known()?;
            for &node in &view.plan.order {
                if known.contains(&node) && view.pin(node)?.action.digest() == *key {
                    return self.job_at(view, node).map(Some);
                }
            }
            Ok(None)
        })
        .map(|seen| seen.answer)
    }

    /// Passes to `take` the job of every command that `targets` name or need; returns how many were left out because a dependency
    /// is not built in its current state.
    pub fn each_job(
        &self,
        targets: &[TargetPattern],
        config: Option<&TargetConfig>,
        take: &mut dyn FnMut(StepJob),
    ) -> Result<Explained<usize>, Failure> {
        self.with_plan(targets, config, |view| {
            let known = view.known()?;
            let mut waiting = 0;
            for &node in &view.plan.order {
                if !known.contains(&node) {
                    waiting += 1;
                } else if let Command::Run(_) = view.pin(node)?.action.command {
                    take(self.job_at(view, node)?);
                }
            }
            Ok(waiting)
        })
    }

    fn job_at(&self, view: &View<'_>, node: NodeIndex) -> Result<StepJob, Failure> {
        let label = view.label(node).to_owned();
        if let Some(need) = view.waits_for(node) {
            let message =
                format!("{label} needs {need}, which has not been built in its current state");
            let help = format!("build it first: `wake build {}`", shell_word(&label));
            return Err(Diagnostic::error(Class::Action, message).help(help).into());
        }
        let pinned = view.pin(node)?;
        check_runs(&label, &pinned.action.command)?;
        let done = view.results.get(step_id(node));
        let absolute = |place: &PkgPlace, below: &RelPath| match place {
            PkgPlace::Checkout(dir) => Some(self.workspace.absolute(&dir.join(below))),
            PkgPlace::Store(_) => None,
        };
        let collected = pinned.inputs.iter().filter_map(|(path, input)| {
            let Input::Output { step, below } = input else { return None };
            let place = &view.plan.graph[NodeIndex::new(step.0)].place;
            Some((path.clone(), absolute(place, below)?))
        });
        let place = &view.plan.graph[node].place;
        Ok(StepJob {
            collected: collected.collect(),
            dir: match place {
                PkgPlace::Checkout(dir) => self.workspace.absolute(dir),
                PkgPlace::Store(pkg) => self.store().tree_place(&pkg.tree),
            },
            key: pinned.action.digest(),
            job: here::job(&pinned, self.store(), &view.checkout.files, Path::new(""), None),
            outputs: done.map(|done| self.store().tree_place(&done.tree)),
            label,
        })
    }
}

fn not_one(target: &str, labels: &[&str]) -> Diagnostic {
    let message = match labels {
        [] => format!("no module matches `{target}`"),
        _ => format!("`{target}` names {} modules, but one is needed", labels.len()),
    };
    let diagnostic = Diagnostic::error(Class::Usage, message);
    if labels.is_empty() { diagnostic } else { diagnostic.help(labels.join(", ")) }
}
