//! The user in a step's sandbox: input is passed in, output is passed out.

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

/// How long to wait for the output of a command that left its output open.
const LATE: Duration = Duration::from_secs(1);

/// How a step is visited.
#[derive(Clone, Copy, Debug)]
pub(super) struct VisitManner {
    /// Whether a shell is run.
    pub(super) is_shell: bool,
    /// Whether the step's own command runs first.
    pub(super) after: bool,
    /// Whether both input and output are a terminal.
    pub(super) at_terminal: bool,
}

/// The user in a step's sandbox. On drop, all output is flushed and the terminal restored.
pub(crate) struct Person {
    step: VisitedStep,
    how: VisitManner,
    /// Whether the step's own command is running, so that Ctrl-C goes to it.
    own_runs: Arc<AtomicBool>,
    enough: CancelToken,
    manner: Manner,
    relay: Relay,
    terminal: Option<ShownTerminal>,
    /// The ends of relayed output.
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
    /// Makes the visitor of a step that is about to be entered.
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

    /// Returns standard input itself, so that only what the command reads is consumed; for a terminal, which sandboxed programs never
    /// get, a relay.
    fn input(&self) -> io::Result<OwnedFd> {
        let lent = io::stdin().as_fd_owned()?;
        if !io::stdin().is_terminal() {
            return Ok(lent);
        }
        let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
        pass_on("typed", File::from(lent), File::from(to), None)?;
        Ok(from)
    }

    /// Returns a pipe relayed to an output of this process. Unlike that output, the pipe can belong to the command, which may
    /// reopen it by name.
    fn output(&mut self, output: &impl Lent) -> io::Result<OwnedFd> {
        let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
        let (done, end) = channel();
        pass_on("shown", File::from(from), File::from(output.as_fd_owned()?), Some(done))?;
        self.passed_on.push(end);
        Ok(to)
    }

    /// Returns standard output and error; a single pipe if both are the same file, to preserve the order of writes.
    fn outputs(&mut self) -> io::Result<[OwnedFd; 2]> {
        let stdout = self.output(&io::stdout())?;
        let (one, other) = (fstat(io::stdout())?, fstat(io::stderr())?);
        let stderr = match (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino) {
            true => stdout.try_clone()?,
            false => self.output(&io::stderr())?,
        };
        Ok([stdout, stderr])
    }

    /// Prints a line; a closed standard error is not an error.
    fn say(&self, role: Role, verb: &str, rest: &str) {
        if self.manner.verbosity > Verbosity::Quiet {
            let line = self.manner.style.verb(role, verb, rest);
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Reports how the step's own command ended.
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
