//! Visits: a user's command that runs where a job's own command would, with the user's streams.

use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};
use wake_model::Outcome;

use crate::cancel::CancelToken;
use crate::error::SandboxError;
use crate::job::{Command, Stream};

/// What is run in place of a job; nothing that it leaves is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The first of these whose program exists is run; standard input is the visitor's.
    pub commands: Vec<Command>,
    /// When it runs.
    pub order: VisitOrder,
    /// Whether the streams are a terminal, which becomes the controlling terminal of the command's own session.
    pub terminal: bool,
}

/// When a visit begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VisitOrder {
    /// When everything is ready for the job's own command, which is not run.
    Before,
    /// When the job's own command has ended, in the directories as it left them.
    After,
}

/// The visiting side.
pub trait Visitor {
    /// Fires when the job's own command is to be stopped, so that the visit begins.
    fn enough(&self) -> &CancelToken;

    /// Receives what the job's own command writes.
    fn wrote(&mut self, stream: Stream, bytes: &[u8]);

    /// Returns standard input, output and error of the visit, which begins now; `own` is how the job's own command
    /// ended, if it was run. The outputs are given to the command's user, so they must not be anybody's file.
    fn streams(&mut self, own: Option<Result<Outcome, SandboxError>>) -> io::Result<[OwnedFd; 3]>;
}
