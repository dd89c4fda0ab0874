//! Engines, which perform pinned actions.
//!
//! An engine can be this machine ([`Here`](crate::here::Here)) or a remote one: a request names everything by content and says
//! where this machine has it. The code above does not know which engine it uses.

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

/// Performs pinned actions, one for each thread that calls it.
pub trait Engine: Send + Sync {
    /// Performs an action. A command that ran and failed is [`Ok`].
    ///
    /// After [`EngineRequest::cancel`] has fired, no process of the command is left when this returns.
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError>;

    /// Copies the tree of a result whose bytes are [`Whereabouts::Away`] into this machine's store.
    fn bring(&self, tree: &TreeDigest, manifest: &Manifest) -> Result<Adopted, StepError>;

    /// Runs a visitor's command in the environment of the action's own command; keeps nothing, and returns how it ended.
    ///
    /// A remote engine may not support this.
    fn visit(&self, _order: VisitRequest<'_>) -> Result<Outcome, StepError> {
        let message = "a step that is performed on another machine cannot be entered";
        Err(StepError::Refused(Box::new(Diagnostic::error(Class::Usage, message))))
    }

    /// Announces that nothing will be performed for a while.
    fn rest(&self) {}
}

/// A request to perform an action.
pub struct EngineRequest<'o, 's> {
    /// The action.
    pub pinned: &'o PinnedAction,
    /// Finds the files that the action's step names.
    pub sources: &'o dyn SourceFiles,
    /// Stops the action when it fires.
    pub cancel: &'o Cancel,
    /// Records where the time goes.
    pub profile: &'o Profile,
    /// Waits until the command may start; none if it must not. Called once, when everything else is ready.
    pub turn: &'o mut dyn FnMut() -> Option<Slot<'s>>,
    /// Receives what the command writes, if the step's terms ask for that.
    pub wrote: &'o mut dyn FnMut(Stream, &[u8]),
}

/// A request to run a visitor's command where an action's own would run.
pub struct VisitRequest<'o> {
    /// The action.
    pub pinned: &'o PinnedAction,
    /// Finds the files that the action's step names.
    pub sources: &'o dyn SourceFiles,
    /// Stops the command when it fires.
    pub cancel: &'o Cancel,
    /// The command to run.
    pub visit: &'o Visit,
    /// The visitor.
    pub visitor: &'o mut dyn Visitor,
}

/// The outcome of an action.
#[derive(Debug)]
pub struct Performance {
    /// When the command began, in milliseconds since 1970.
    pub began_ms: u64,
    /// How the command ended.
    pub outcome: Outcome,
    /// The resources that it used.
    pub usage: Usage,
    /// The part of its standard output that is kept.
    pub stdout: Vec<u8>,
    /// The part of its standard error that is kept.
    pub stderr: Vec<u8>,
    /// Its depfile, if its terms ask for one and it succeeded.
    pub depfile: Option<Vec<u8>>,
    /// Its report of test cases, or why that could not be read; set if its terms ask for one and it left something there.
    pub report: Option<Result<Vec<u8>, String>>,
    /// Time spent around the command.
    pub overhead: Duration,
    /// Its outputs; or what is wrong with them, a line each.
    pub left: Result<Option<KeptOutputs>, Vec<String>>,
}

/// Outputs that are kept.
#[derive(Debug)]
pub struct KeptOutputs {
    /// Their tree.
    pub tree: TreeDigest,
    /// The content of the tree.
    pub manifest: Manifest,
    /// The ids of outputs that are kept as packed wares, in the order of the action.
    pub wares: Vec<WareId>,
    /// Where the bytes are.
    pub bytes: Whereabouts,
}

/// Where the bytes of a result are.
#[derive(Debug)]
pub enum Whereabouts {
    /// In this machine's store.
    Here(Adopted),
    /// With the engine, until [`Engine::bring`] copies them here.
    Away,
}
