//! A worker process, as seen by the pool.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};

use super::RAISE_LIMITS;
use super::known::KnownTopics;
use crate::serve::{NO_THREAD, size};
use crate::wire::{Arrival, Greeting, Receiver, Sender, Tag, decode, encode, outcome, request};
use crate::{Answer, Answers, EvalError, Evaluated, Kind, Limit, Limits, Request, Topic};

/// A process that evaluates requests; the outcomes come in the order of the requests.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    sender: Sender,
    receiver: Receiver,
    known: KnownTopics,
    served: u32,
    leaving: bool,
}

/// Why there is no outcome.
enum Breakdown {
    TooLate,
    Died,
    Pipe(io::Error),
}

impl Worker {
    /// Takes over a newly started process.
    pub(super) fn greet(mut child: Child, greeting: &Greeting) -> io::Result<Worker> {
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("the process has no pipes"));
        };
        // Both sides may be about to write: waiting here until the other side reads could deadlock.
        fcntl_setfl(&stdin, OFlags::NONBLOCK)?;
        fcntl_setfl(&stdout, OFlags::NONBLOCK)?;
        let mut sender = Sender::default();
        sender.put(Tag::Greeting, &serde_json::to_vec(greeting)?)?;
        let (receiver, known) = (Receiver::default(), KnownTopics::default());
        let (served, leaving) = (0, false);
        Ok(Worker { child, stdin, stdout, stderr, sender, receiver, known, served, leaving })
    }

    /// Returns the process id.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether it can serve another request.
    pub(super) fn is_fit(&self, limits: &Limits) -> bool {
        !self.leaving && self.served < limits.requests
    }

    /// Whether it serves no more requests, because it has ended or is about to.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Queues a request after those it has; [`Worker::outcome`] sends it.
    pub(super) fn put(&mut self, request: &Request, answers: &dyn Answers) -> io::Result<()> {
        let told = self.known.begin(answers);
        let content = request::encode(answers.epoch(), &told, request)?;
        self.sender.put(Tag::Request, &content)?;
        self.served += 1;
        Ok(())
    }

    /// Sends as much of the queued data as the pipe accepts now.
    pub(super) fn send(&mut self) {
        // Whoever waits for the outcome gets the error.
        let _ = self.sender.flush(&self.stdin);
    }

    /// Returns the outcome of the first request, on which the worker started at `began`.
    pub(super) fn outcome(
        &mut self,
        request: &Request,
        answers: &dyn Answers,
        limits: &Limits,
        began: Instant,
    ) -> Result<Evaluated, EvalError> {
        let broken = match self.converse(answers, limits, began) {
            Ok(outcome) => return outcome,
            Err(broken) => broken,
        };
        self.leaving = true;
        Err(match broken {
            Breakdown::TooLate => {
                let seconds = limits.deadline.as_secs_f64();
                let message = format!("evaluating `{}` takes longer than {seconds} s", request.pkg);
                EvalError::bare(&request.pkg, Kind::Limit(Limit::Time), message)
            }
            Breakdown::Died => self.post_mortem(request, limits),
            Breakdown::Pipe(error) => {
                let message = format!("lost the evaluator of `{}`: {error}", request.pkg);
                EvalError::bare(&request.pkg, Kind::Crash, message)
            }
        })
    }

    fn converse(
        &mut self,
        answers: &dyn Answers,
        limits: &Limits,
        began: Instant,
    ) -> Result<Result<Evaluated, EvalError>, Breakdown> {
        loop {
            self.sender.flush(&self.stdin).map_err(Breakdown::Pipe)?;
            match self.receiver.step(&self.stdout).map_err(Breakdown::Pipe)? {
                Arrival::Part => self.wait(limits.deadline.saturating_sub(began.elapsed()))?,
                Arrival::End => return Err(Breakdown::Died),
                Arrival::Frame(Tag::AskPkgs, keys) => self.reply(&keys, Topic::Pkg, |key| {
                    Ok(answers.pkg(key).map_or(Answer::Unknown, Answer::Ready))
                })?,
                Arrival::Frame(Tag::AskModules, ids) => {
                    let answer = |id: &str| Ok(answers.module(&serde_json::from_str(id)?));
                    self.reply(&ids, Topic::Module, answer)?;
                }
                Arrival::Frame(Tag::AskLibraries, keys) => {
                    self.reply(&keys, Topic::Library, |key| {
                        Ok(answers.library(key).map_or(Answer::Unknown, Answer::Ready))
                    })?;
                }
                Arrival::Frame(Tag::AskOptions, names) => {
                    self.reply(&names, Topic::Option, |name| {
                        Ok(answers.option(name).map_or(Answer::Unknown, Answer::Ready))
                    })?;
                }
                Arrival::Frame(tag @ (Tag::Done | Tag::Last), content) => {
                    self.leaving = tag == Tag::Last;
                    return outcome::decode(&content).map_err(Breakdown::Pipe);
                }
                Arrival::Frame(..) => {
                    return Err(Breakdown::Pipe(io::Error::other("unexpected message")));
                }
            }
        }
    }

    fn reply(
        &mut self,
        questions: &[u8],
        topic: impl Fn(Arc<str>) -> Topic,
        answer: impl Fn(&str) -> io::Result<Answer>,
    ) -> Result<(), Breakdown> {
        let mut replies = Vec::new();
        for question in decode::<Vec<&str>>(questions).map_err(Breakdown::Pipe)? {
            let answer = answer(question).map_err(Breakdown::Pipe)?;
            if let Answer::Ready(text) = &answer {
                self.known.note(topic(question.into()), text);
            }
            replies.push(answer);
        }
        let content = encode(&replies, 8 << 10).map_err(Breakdown::Pipe)?;
        self.sender.put(Tag::Replies, &content).map_err(Breakdown::Pipe)
    }

    /// Waits until there is something to read, or room to write.
    fn wait(&self, time: Duration) -> Result<(), Breakdown> {
        let timeout = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let mut fds =
            [PollFd::new(&self.stdout, PollFlags::IN), PollFd::new(&self.stdin, PollFlags::OUT)];
        let count = if self.sender.is_done() { 1 } else { 2 };
        match poll(&mut fds[..count], Some(&timeout)) {
            Ok(0) => Err(Breakdown::TooLate),
            Ok(_) => Ok(()),
            // The next iteration waits for the remaining time.
            Err(rustix::io::Errno::INTR) if !time.is_zero() => self.wait(time),
            Err(error) => Err(Breakdown::Pipe(error.into())),
        }
    }

    /// Determines why the process died, from its exit status and its last output.
    fn post_mortem(&mut self, request: &Request, limits: &Limits) -> EvalError {
        let pkg = &request.pkg;
        let status = self.child.wait().ok();
        let mut said = Vec::new();
        // Output that cannot be read is ignored.
        let _ = (&mut self.stderr).take(64 << 10).read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        let signal = status.and_then(|status| status.signal());
        if said.contains("memory allocation of") || signal == Some(libc::SIGKILL) {
            let message =
                format!("evaluating `{pkg}` needs more than {} of memory", size(limits.memory));
            return EvalError::bare(pkg, Kind::Limit(Limit::Memory), message);
        }
        if said.contains("overflowed its stack") || signal == Some(libc::SIGSEGV) {
            let message = format!(
                "evaluating `{pkg}` recurses deeper than its stack of {}",
                size(limits.stack as u64)
            );
            return EvalError::bare(pkg, Kind::Limit(Limit::Depth), message)
                .with_hint("check for a definition that refers to itself without end");
        }
        let ended = status.map_or("ended".to_owned(), |status| status.to_string());
        let mut message = format!("the evaluator of `{pkg}` ended unexpectedly ({ended})");
        if let Some(line) = said.lines().last() {
            message = format!("{message}: {line}");
        }
        let crash = EvalError::bare(pkg, Kind::Crash, message);
        if said.contains(NO_THREAD) { crash.with_hint(RAISE_LIMITS) } else { crash }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The worker has no state to lose, and must not be left as a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
