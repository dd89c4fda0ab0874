//! Worker processes.

mod spawner;
mod known;
mod worker;
mod line;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::wire::Greeting;
use crate::{Answers, EvalError, Evaluated, Kind, Limits, Request};
use spawner::Spawner;
use worker::Worker;

pub use line::{Line, Response};

/// The hint for when the system denies a process its resources.
const RAISE_LIMITS: &str = "raise the limits that `ulimit -a` shows";

/// How to start a worker: a program that calls [`crate::serve`].
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program, usually the running one itself.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The directories whose files it may read.
    pub readable: Vec<PathBuf>,
}

/// The worker that evaluated a request.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The process id of the worker.
    pub process: u32,
    /// When it started on the request.
    pub began: Instant,
}

/// Evaluates requests in worker processes, one per concurrent caller; idle workers are reused.
///
/// Shared by reference between threads. Dropping it ends the workers.
#[derive(Debug)]
pub struct Pool {
    // Declared first, so dropped first: idle workers must end before the thread whose end would kill them.
    idle: Mutex<Vec<Worker>>,
    spawner: Spawner,
    limits: Limits,
}

impl Pool {
    /// Creates a pool. Workers are started when needed.
    pub fn new(worker: WorkerCommand, limits: Limits) -> Pool {
        Pool { idle: Mutex::default(), spawner: Spawner::new(worker), limits }
    }

    /// Evaluates one request, blocking until it is done or its deadline has passed.
    ///
    /// `answers` is called on this thread. A worker that ends is replaced at the next call; the request that ended it
    /// is not retried.
    pub fn evaluate(
        &self,
        request: &Request,
        answers: &dyn Answers,
    ) -> Result<Evaluated, EvalError> {
        let mut line = self.line();
        line.put(request.clone(), answers, ());
        line.wait().map_or_else(
            || Err(EvalError::bare(&request.pkg, Kind::Crash, "no request was made".to_owned())),
            |served| served.outcome,
        )
    }

    /// Creates a queue of requests for one worker, which is taken at the first request and returned at the end.
    pub fn line<A: Answers, T>(&self) -> Line<'_, A, T> {
        Line::new(self)
    }

    /// Ends idle workers to free their memory; the next call starts a new one.
    pub fn rest(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }

    fn keep(&self, worker: Worker) {
        if worker.is_fit(&self.limits) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
    }

    fn worker(&self, request: &Request) -> Result<Worker, EvalError> {
        while let Some(mut worker) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
        {
            if worker.is_alive() {
                return Ok(worker);
            }
        }
        let crash = |error: std::io::Error| {
            let program = self.spawner.program().display();
            let message = format!("cannot start an evaluator `{program}`: {error}");
            let crash = EvalError::bare(&request.pkg, Kind::Crash, message);
            match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM) => {
                    crash.with_hint(RAISE_LIMITS)
                }
                _ => crash,
            }
        };
        let child = self.spawner.spawn().map_err(crash)?;
        let (limits, readable) = (self.limits.clone(), self.spawner.readable().to_vec());
        Worker::greet(child, &Greeting { limits, readable }).map_err(crash)
    }
}
