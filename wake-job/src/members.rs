//! The processes that run together: the replicas of a job and its workers, each as its own action.

use std::time::Duration;

use wake_exec::Networks;
use wake_model::action::Command;
use wake_model::{InputNode, MountAccess, Outputs, RootFs, SandboxLevel};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::error::StepError;
use wake_steps::pin::{InputPlace, PinnedAction};
use wake_steps::step::Terms;
use wake_steps::{Input, Inputs};
use wake_store::Scratch;

use crate::container::{Container, TaskRoot};
use crate::graphics::GraphicsClaim;
use crate::task::{Task, WorkerTask};

/// One of the processes that run together.
pub(crate) struct Member {
    /// Its name in the log, and its host name.
    pub(crate) name: String,
    pub(crate) pinned: PinnedAction,
}

/// The resources that are assigned to the processes.
pub(crate) struct Means<'a> {
    pub(crate) networks: Option<&'a Networks>,
    pub(crate) graphics: GraphicsClaim,
}

/// The time between SIGTERM and SIGKILL for a worker, the usual one for containers.
const GRACE: Duration = Duration::from_secs(10);

impl Task {
    /// Whether only one process runs, here or elsewhere.
    pub(crate) fn is_alone(&self) -> bool {
        self.sizes() == (1, 0) && !self.is_part()
    }

    /// Returns replica `place` of those here, of the job `pinned`, with its pipes in `scratch` in place of the files of the action.
    pub(crate) fn replica(
        &self,
        place: usize,
        pinned: &PinnedAction,
        scratch: &Scratch,
        means: &mut Means<'_>,
    ) -> Result<Member, StepError> {
        let mut pinned = pinned.clone();
        let name = format!("job-{}", self.own.start as usize + place);
        let (dir, access) = (self.pipe_dir(), MountAccess::ReadWrite);
        let host = scratch.path().to_owned();
        let mounted = host.to_string_lossy().into_owned();
        let mut inputs = Inputs::default();
        // Cannot fail: there is no other input.
        let _ = inputs.place(dir.clone(), Input::Mount { host, access });
        pinned.inputs = inputs;
        pinned.located = vec![InputPlace::AsNamed];
        let at = pinned.action.work.join(&dir);
        pinned.action.own_files = None;
        pinned.action.inputs = [(at, InputNode::Mount { host: mounted, access })].into();
        pinned.action.outputs = Outputs::Tree(Vec::new());
        if self.sandbox == SandboxLevel::Weak {
            // The pipes are not at the paths that the action names.
            let given = self.given(&scratch.path().to_string_lossy());
            pinned.action.command =
                Command::Run(self.container().invocation(&given).map_err(refused)?);
        }
        if !self.is_alone() {
            pinned.action.user.hostname.clone_from(&name);
        }
        means.give(&mut pinned.terms, place, &self.container());
        Ok(Member { name, pinned })
    }

    /// Returns a worker of the job `pinned`.
    pub(crate) fn worker(
        &self,
        worker: &WorkerTask,
        number: usize,
        pinned: &PinnedAction,
        means: &mut Means<'_>,
    ) -> Result<Member, StepError> {
        let container = Container { codespec: &worker.codespec, root: &worker.root };
        let name = format!("worker-{number}");
        let given: Vec<(String, String)> = self.run_id().into_iter().collect();
        let invocation = container.invocation(&given).map_err(refused)?;
        let own_dirs = container.own_dirs().map_err(refused)?;
        let mut pinned = pinned.clone();
        // It is of the same kind as the job's: a root in place of an image is used for both.
        if let TaskRoot::Image { tree, .. } = &worker.root {
            pinned.action.root = RootFs::Tree(*tree);
            pinned.root = worker.root.of_step();
            pinned.root_located = InputPlace::In(*tree);
        }
        pinned.action.command = Command::Run(invocation);
        pinned.action.user = container.user(&name);
        pinned.action.own_dirs = own_dirs.iter().map(|dir| pinned.action.work.join(dir)).collect();
        pinned.action.own_files = None;
        pinned.action.inputs.clear();
        pinned.action.outputs = Outputs::Tree(Vec::new());
        (pinned.inputs, pinned.located) = (Inputs::default(), Vec::new());
        pinned.terms = Terms { forgotten: true, grace: Some(GRACE), ..container.limits() };
        means.give(&mut pinned.terms, self.sizes().0 + number, &container);
        Ok(Member { name, pinned })
    }
}

fn refused(diagnostic: Diagnostic) -> StepError {
    StepError::Refused(Box::new(diagnostic))
}

impl Means<'_> {
    fn give(&mut self, terms: &mut Terms, number: usize, container: &Container<'_>) {
        terms.place = self.networks.and_then(|networks| networks.place(number));
        terms.devices = self.graphics.deal(container.graphics());
    }
}
