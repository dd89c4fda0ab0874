//! Several requests in progress with one worker.
#![expect(clippy::disallowed_methods, reason = "an evaluation has a deadline")]

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::worker::Worker;
use super::{Pool, Service};
use crate::{Answers, EvalError, Evaluated, Kind, Request};

/// A queue of requests that one worker of a pool serves in order, so that it need not wait for the outcomes to be
/// consumed.
///
/// If a worker ends, only the request it was working on fails; the following ones go to another worker.
#[derive(Debug)]
pub struct Line<'p, A, T> {
    pool: &'p Pool,
    worker: Option<Worker>,
    waiting: VecDeque<QueuedRequest<A, T>>,
    /// How many of the requests have been sent to the worker.
    given: usize,
    /// When the worker started on the first of them.
    began: Instant,
}

/// A request without an outcome.
#[derive(Debug)]
struct QueuedRequest<A, T> {
    request: Request,
    answers: A,
    tag: T,
}

/// A request with its outcome.
#[derive(Debug)]
pub struct Response<A, T> {
    /// The request.
    pub request: Request,
    /// The source of answers for it.
    pub answers: A,
    /// The tag that was put with it.
    pub tag: T,
    /// The outcome.
    pub outcome: Result<Evaluated, EvalError>,
    /// The worker that served it; `None` if no worker could be started.
    pub service: Option<Service>,
}

impl<'p, A: Answers, T> Line<'p, A, T> {
    pub(super) fn new(pool: &'p Pool) -> Self {
        let (worker, waiting) = (None, VecDeque::new());
        Line { pool, worker, waiting, given: 0, began: Instant::now() }
    }

    /// Appends a request. Its `answers` are called on this thread while it waits for an outcome.
    pub fn put(&mut self, request: Request, answers: A, tag: T) {
        if self.waiting.is_empty() {
            self.began = Instant::now();
        }
        self.waiting.push_back(QueuedRequest { request, answers, tag });
    }

    /// Lets the worker start on the queued requests, as far as possible without waiting for it.
    pub fn send(&mut self) {
        if self.worker.is_some() || self.take_worker().is_ok() {
            // A failure is reported when the outcome is requested.
            let _ = self.give();
        }
    }

    /// Returns the number of requests without an outcome.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether every request has its outcome.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the first request without an outcome, and its tag.
    pub fn first(&self) -> Option<(&Request, &T)> {
        self.waiting.front().map(|waiting| (&waiting.request, &waiting.tag))
    }

    /// Waits for the outcome of the first request, or until its deadline has passed; `None` if there is no request.
    pub fn wait(&mut self) -> Option<Response<A, T>> {
        if self.waiting.is_empty() {
            return None;
        }
        let (outcome, service) = self.outcome();
        let QueuedRequest { request, answers, tag } = self.waiting.pop_front()?;
        Some(Response { request, answers, tag, outcome, service })
    }

    fn outcome(&mut self) -> (Result<Evaluated, EvalError>, Option<Service>) {
        if self.given == 0 {
            self.began = Instant::now();
            let fit = |worker: &Worker| worker.is_fit(&self.pool.limits);
            if !self.worker.as_ref().is_some_and(fit)
                && let Err(error) = self.take_worker()
            {
                return (Err(error), None);
            }
        }
        let given = self.give();
        let (Some(worker), Some(first)) = (&mut self.worker, self.waiting.front()) else {
            let error = EvalError::bare("", Kind::Crash, "there is no evaluator".to_owned());
            return (Err(error), None);
        };
        if let Err(error) = given
            && self.given == 0
        {
            let pkg = &first.request.pkg;
            let message = format!("cannot send a request to the evaluator of `{pkg}`: {error}");
            return (Err(EvalError::bare(pkg, Kind::Crash, message)), None);
        }
        let service = Service { process: worker.process(), began: self.began };
        let limits = &self.pool.limits;
        let outcome = worker.outcome(&first.request, &first.answers, limits, self.began);
        self.given = self.given.saturating_sub(1);
        if worker.is_leaving() {
            self.worker = None;
            self.given = 0;
        }
        self.began = Instant::now();
        (outcome, Some(service))
    }

    fn take_worker(&mut self) -> Result<(), EvalError> {
        let Some(first) = self.waiting.front() else { return Ok(()) };
        self.worker = None;
        self.worker = Some(self.pool.worker(&first.request)?);
        Ok(())
    }

    /// Sends the worker as many requests as it may serve.
    fn give(&mut self) -> io::Result<()> {
        let Some(worker) = &mut self.worker else { return Ok(()) };
        for waiting in self.waiting.iter().skip(self.given) {
            if !worker.is_fit(&self.pool.limits) {
                break;
            }
            worker.put(&waiting.request, &waiting.answers)?;
            self.given += 1;
        }
        worker.send();
        Ok(())
    }
}

impl<A, T> Drop for Line<'_, A, T> {
    fn drop(&mut self) {
        // A worker that is still busy ends with the queue.
        if let Some(worker) = self.worker.take().filter(|_| self.given == 0) {
            self.pool.keep(worker);
        }
    }
}
