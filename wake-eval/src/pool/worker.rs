//! One worker process, seen from the pool.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::known::Known;
use crate::serve::size;
use crate::wire::{Questions, Received, Receiver, Replies, Tag, outcome, request, send};
use crate::{Answer, Answers, EvalError, Evaluated, Kind, Limit, Limits, Request, Topic};

/// A process that waits for a request, or computes one.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    known: Known,
    served: u32,
    leaving: bool,
}

/// How a conversation ended without an outcome.
enum Broken {
    TooLate,
    Died,
    Pipe(io::Error),
}

impl Worker {
    /// Takes over a process that was just started.
    pub(super) fn greet(mut child: Child, limits: &Limits) -> io::Result<Worker> {
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("the process has no pipes"));
        };
        let content = serde_json::to_vec(limits)?;
        send(&stdin, Tag::Limits, &content)?;
        let known = Known::default();
        Ok(Worker { child, stdin, stdout, stderr, known, served: 0, leaving: false })
    }

    /// The number of its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether it may serve another request.
    pub(super) fn is_fit(&self, limits: &Limits) -> bool {
        !self.leaving && self.served < limits.requests
    }

    pub(super) fn evaluate(
        &mut self,
        request: &Request,
        answers: &dyn Answers,
        limits: &Limits,
    ) -> Result<Evaluated, EvalError> {
        self.served += 1;
        let broken = match self.converse(request, answers, limits) {
            Ok(outcome) => return outcome,
            Err(broken) => broken,
        };
        self.leaving = true;
        Err(match broken {
            Broken::TooLate => {
                let seconds = limits.deadline.as_secs_f64();
                let message = format!("evaluating `{}` takes longer than {seconds} s", request.pkg);
                EvalError::bare(&request.pkg, Kind::Limit(Limit::Time), message)
            }
            Broken::Died => self.post_mortem(request, limits),
            Broken::Pipe(error) => {
                let message = format!("lost the evaluator of `{}`: {error}", request.pkg);
                EvalError::bare(&request.pkg, Kind::Crash, message)
            }
        })
    }

    fn converse(
        &mut self,
        request: &Request,
        answers: &dyn Answers,
        limits: &Limits,
    ) -> Result<Result<Evaluated, EvalError>, Broken> {
        let content = serde_json::to_vec(request).map_err(|error| Broken::Pipe(error.into()))?;
        let started = Instant::now();
        let told = self.known.begin(answers);
        let content = request::encode(answers.epoch(), &told, &content).map_err(Broken::Pipe)?;
        self.say(Tag::Request, &content)?;
        let mut receiver = Receiver::default();
        loop {
            self.wait(limits.deadline.saturating_sub(started.elapsed()))?;
            match receiver.step(&self.stdout).map_err(Broken::Pipe)? {
                Received::Part => {}
                Received::End => return Err(Broken::Died),
                Received::Frame(Tag::AskPkgs, keys) => self.reply(&keys, Topic::Pkg, |key| {
                    Ok(answers.pkg(key).map_or(Answer::Unknown, Answer::Ready))
                })?,
                Received::Frame(Tag::AskModules, ids) => {
                    let answer = |id: &str| Ok(answers.module(&serde_json::from_str(id)?));
                    self.reply(&ids, Topic::Module, answer)?;
                }
                Received::Frame(tag @ (Tag::Done | Tag::Last), content) => {
                    self.leaving = tag == Tag::Last;
                    return outcome::decode(&content).map_err(Broken::Pipe);
                }
                Received::Frame(..) => {
                    return Err(Broken::Pipe(io::Error::other("it speaks out of turn")));
                }
            }
        }
    }

    fn reply(
        &mut self,
        questions: &[u8],
        topic: impl Fn(Arc<str>) -> Topic,
        answer: impl Fn(&str) -> io::Result<Answer>,
    ) -> Result<(), Broken> {
        let mut content = Vec::new();
        for question in Questions::split(questions).map_err(Broken::Pipe)? {
            let answer = answer(question).map_err(Broken::Pipe)?;
            Replies::put(&answer, &mut content).map_err(Broken::Pipe)?;
            if let Answer::Ready(text) = &answer {
                self.known.note(topic(question.into()), text);
            }
        }
        self.say(Tag::Replies, &content)
    }

    fn say(&self, tag: Tag, content: &[u8]) -> Result<(), Broken> {
        send(&self.stdin, tag, content).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Broken::Died,
            _ => Broken::Pipe(error),
        })
    }

    /// Waits until there is something to read.
    fn wait(&self, time: Duration) -> Result<(), Broken> {
        let timeout = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&self.stdout, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => Err(Broken::TooLate),
            Ok(_) => Ok(()),
            // The next turn waits for the time that is left then.
            Err(rustix::io::Errno::INTR) if !time.is_zero() => self.wait(time),
            Err(error) => Err(Broken::Pipe(error.into())),
        }
    }

    /// What the process died of, by how it ended and what it said last.
    fn post_mortem(&mut self, request: &Request, limits: &Limits) -> EvalError {
        let pkg = &request.pkg;
        let status = self.child.wait().ok();
        let mut said = Vec::new();
        // What cannot be read is not said.
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
                .with_hint("something is defined in terms of itself without an end");
        }
        let ended = status.map_or("ended".to_owned(), |status| status.to_string());
        let mut message = format!("the evaluator of `{pkg}` ended unexpectedly ({ended})");
        if let Some(line) = said.lines().last() {
            message = format!("{message}: {line}");
        }
        EvalError::bare(pkg, Kind::Crash, message)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has nothing to lose, and must not be left as a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
