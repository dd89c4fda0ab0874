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

/// What helps where the system will not give a process what it needs.
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

/// Who evaluated a request.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The worker's process number.
    pub process: u32,
    /// When it was handed the request.
    pub began: Instant,
}

/// Evaluates requests in worker processes: as many as there are callers at once, reused while idle.
///
/// Shared by reference between threads. Dropping it ends the workers.
#[derive(Debug)]
pub struct Pool {
    // Declared first, so dropped first: idle workers are gone before the thread that they would follow.
    idle: Mutex<Vec<Worker>>,
    spawner: Spawner,
    limits: Limits,
}

impl Pool {
    /// Starts nothing yet: workers start when they are needed.
    pub fn new(worker: WorkerCommand, limits: Limits) -> Pool {
        Pool { idle: Mutex::default(), spawner: Spawner::new(worker), limits }
    }

    /// Evaluates one request, blocking until it is done or its deadline has passed.
    ///
    /// `answers` is called on this thread. A worker that ends is replaced by the next call; the request that ended it
    /// is not tried again.
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

    /// A line of requests for one worker, which it takes with the first of them and gives back at the end.
    pub fn line<A: Answers, T>(&self) -> Line<'_, A, T> {
        Line::new(self)
    }

    /// Ends the workers that are idle, to give back their memory; the next call starts one again.
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
