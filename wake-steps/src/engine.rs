//! Where actions are performed: an engine is given a pinned action and says what came of it.
//!
//! An engine may be this machine ([`Here`](crate::here::Here)) or one far away: what it is given names everything by
//! content, and says where this machine has it. Nothing above knows which it is.

use std::time::Duration;

use wake_exec::{Stream, Visit, Visitor};
use wake_model::{Manifest, Outcome, TreeDigest, Usage, WareId};
use wake_store::Adopted;

use crate::cancel::Cancel;
use crate::diagnostic::{Class, Diagnostic};
use crate::error::StepError;
use crate::pin::PinnedAction;
use crate::profile::Profile;
use crate::slots::Slot;
use crate::step::SourceFiles;

/// Performs pinned actions, as many at once as there are threads that ask.
pub trait Engine: Send + Sync {
    /// Performs one. A command that ran and failed is [`Ok`].
    ///
    /// When [`EngineRequest::cancel`] fires, nothing of the command is left before this returns.
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError>;

    /// Brings the tree of a result whose bytes are [`Whereabouts::Away`] into this machine's store.
    fn bring(&self, tree: &TreeDigest, manifest: &Manifest) -> Result<Adopted, StepError>;

    /// Has a command of somebody's run where the action's own would, which keeps nothing; says how it ended.
    ///
    /// An engine far away need not be able to.
    fn visit(&self, _order: VisitRequest<'_>) -> Result<Outcome, StepError> {
        let message = "a step that is performed on another machine cannot be entered";
        Err(StepError::Refused(Box::new(Diagnostic::error(Class::Usage, message))))
    }

    /// Says that nothing will be performed for a while.
    fn rest(&self) {}
}

/// What an engine is asked for.
pub struct EngineRequest<'o, 's> {
    /// The action.
    pub pinned: &'o PinnedAction,
    /// Where files lie that the action's step names.
    pub sources: &'o dyn SourceFiles,
    /// Fires when it is to stop.
    pub cancel: &'o Cancel,
    /// Where the time goes.
    pub profile: &'o Profile,
    /// Waits until the command may start; none: it may never. Called once, when all is ready for it.
    pub turn: &'o mut dyn FnMut() -> Option<Slot<'s>>,
    /// Hears what the command writes, if the step's terms ask for that.
    pub wrote: &'o mut dyn FnMut(Stream, &[u8]),
}

/// Whom an engine is to let in where.
pub struct VisitRequest<'o> {
    /// The action.
    pub pinned: &'o PinnedAction,
    /// Where files lie that the action's step names.
    pub sources: &'o dyn SourceFiles,
    /// Fires when it is to stop.
    pub cancel: &'o Cancel,
    /// What is run.
    pub visit: &'o Visit,
    /// By whom.
    pub visitor: &'o mut dyn Visitor,
}

/// What came of an action.
#[derive(Debug)]
pub struct Performance {
    /// When the command began, in milliseconds since 1970.
    pub began_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// What it wrote to standard output, as far as it is kept.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// What it says that it has read, if its terms ask for that and it succeeded.
    pub depfile: Option<Vec<u8>>,
    /// What it says became of its cases, or what is wrong with where it says it, if its terms ask for that and it says anything.
    pub report: Option<Result<Vec<u8>, String>>,
    /// Time around the command.
    pub overhead: Duration,
    /// What it left; or what is wrong with that, a line each.
    pub left: Result<Option<KeptOutputs>, Vec<String>>,
}

/// What a command left that is kept.
#[derive(Debug)]
pub struct KeptOutputs {
    /// The tree of its outputs.
    pub tree: TreeDigest,
    /// What is in it.
    pub manifest: Manifest,
    /// The ids of outputs that are kept as packed wares, in the order of the action.
    pub wares: Vec<WareId>,
    /// Where the bytes lie.
    pub bytes: Whereabouts,
}

/// Where the bytes of a result lie.
#[derive(Debug)]
pub enum Whereabouts {
    /// In this machine's store.
    Here(Adopted),
    /// Where the engine keeps them, until [`Engine::bring`] brings them.
    Away,
}
