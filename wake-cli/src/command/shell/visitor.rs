//! The person at a step: what is typed goes in, what is written comes out.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::fs::fstat;
use rustix::pipe::{PipeFlags, pipe_with};
use wake_build::VisitedStep;
use wake_exec::{CancelToken, SandboxError, Stream, Visitor};
use wake_model::Outcome;

use super::terminal::{Lent, ShownTerminal, pass_on};
use crate::manner::{Manner, Verbosity};
use crate::report::relay::Relay;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// How long what a command has written is waited for that left its output open behind it.
const LATE: Duration = Duration::from_secs(1);

/// How a step is visited.
#[derive(Clone, Copy, Debug)]
pub(super) struct VisitManner {
    /// Whether it is a shell that is run.
    pub(super) is_shell: bool,
    /// Whether the command of the step itself is run before.
    pub(super) after: bool,
    /// Whether both what is typed and what is written is at a terminal.
    pub(super) at_terminal: bool,
}

/// The person at a step; when dropped, everything has been shown and the terminal is theirs again.
pub(crate) struct Person {
    step: VisitedStep,
    how: VisitManner,
    /// Whether the command of the step itself is running, so that Ctrl-C is for that.
    own_runs: Arc<AtomicBool>,
    enough: CancelToken,
    manner: Manner,
    relay: Relay,
    terminal: Option<ShownTerminal>,
    /// Ends of output that is passed on.
    passed_on: Vec<Receiver<()>>,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.terminal = None;
        for end in self.passed_on.drain(..) {
            let _ = end.recv_timeout(LATE);
        }
    }
}

impl Person {
    /// One who is about to enter.
    pub(super) fn approaching(
        step: &VisitedStep,
        how: VisitManner,
        own_runs: Arc<AtomicBool>,
        enough: CancelToken,
        manner: Manner,
    ) -> Person {
        let (relay, terminal, passed_on) = (Relay::default(), None, Vec::new());
        let step = step.clone();
        let person = Person { step, how, own_runs, enough, manner, relay, terminal, passed_on };
        if how.after {
            let VisitedStep { label, command } = &person.step;
            let command = words::command(command);
            let text = format!("{}  {}", escape::line(label), escape::line(&command));
            person.say(Role::Good, "Running", &text);
        }
        person
    }

    /// Standard input: itself, so that nothing of it is read that the command does not ask for; of a terminal, which no program
    /// of a sandbox gets hold of, what is typed.
    fn input(&self) -> io::Result<OwnedFd> {
        let lent = io::stdin().as_fd_owned()?;
        if !io::stdin().is_terminal() {
            return Ok(lent);
        }
        let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
        pass_on("typed", File::from(lent), File::from(to), None)?;
        Ok(from)
    }

    /// A pipe from which everything goes on to an output of this process: unlike that it can be the command's own, who may
    /// open it once more by its name.
    fn output(&mut self, output: &impl Lent) -> io::Result<OwnedFd> {
        let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
        let (done, end) = channel();
        pass_on("shown", File::from(from), File::from(output.as_fd_owned()?), Some(done))?;
        self.passed_on.push(end);
        Ok(to)
    }

    /// Standard output and error; one pipe where both are one, so that what is written keeps its order.
    fn outputs(&mut self) -> io::Result<[OwnedFd; 2]> {
        let stdout = self.output(&io::stdout())?;
        let (one, other) = (fstat(io::stdout())?, fstat(io::stderr())?);
        let stderr = match (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino) {
            true => stdout.try_clone()?,
            false => self.output(&io::stderr())?,
        };
        Ok([stdout, stderr])
    }

    /// Tells the person; where standard error is closed there is nobody to tell.
    fn say(&self, role: Role, verb: &str, rest: &str) {
        if self.manner.verbosity > Verbosity::Quiet {
            let line = self.manner.style.verb(role, verb, rest);
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Tells how the command of the step itself ended.
    fn tell_end(&self, own: &Result<Outcome, SandboxError>) {
        let (role, how) = match own {
            Ok(outcome) if outcome.is_success() => (Role::Good, outcome.to_string()),
            Ok(outcome) => (Role::Bad, outcome.to_string()),
            Err(SandboxError::Cancelled) => (Role::Caution, "stopped".to_owned()),
            Err(error) => (Role::Bad, error.to_string()),
        };
        let label = escape::line(&self.step.label);
        self.say(role, "Ended", &format!("{label}  {}", escape::line(&how)));
    }

    fn show(&self, text: &str) {
        for line in escape::lines(text) {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

impl Visitor for Person {
    fn enough(&self) -> &CancelToken {
        &self.enough
    }

    fn wrote(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(text) = self.relay.push(stream, bytes) {
            self.show(&text);
        }
    }

    fn streams(&mut self, own: Option<Result<Outcome, SandboxError>>) -> io::Result<[OwnedFd; 3]> {
        self.own_runs.store(false, Ordering::Relaxed);
        if let Some(text) = self.relay.finish() {
            self.show(&text);
        }
        if let Some(own) = own {
            self.tell_end(&own);
        }
        if self.how.is_shell {
            let VisitedStep { label, command } = &self.step;
            let text = format!(
                "{}, whose command is `{}`; changes made here are discarded",
                escape::line(label),
                escape::line(command)
            );
            self.say(Role::Good, "Entering", &text);
        }
        if !self.how.at_terminal {
            let [stdout, stderr] = self.outputs()?;
            return Ok([self.input()?, stdout, stderr]);
        }
        let (terminal, theirs) = ShownTerminal::open()?;
        self.terminal = Some(terminal);
        let errors = match io::stderr().is_terminal() {
            true => theirs.try_clone()?,
            false => self.output(&io::stderr())?,
        };
        Ok([theirs.try_clone()?, theirs, errors])
    }
}
