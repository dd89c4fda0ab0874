//! Performing one step: pin it, look its key up, else run it.

use std::time::Instant;

use crossbeam_channel::Sender;
use wake_model::action::Command;
use wake_model::{ActionDigest, RunRecord, TreeDigest};
use wake_store::Lookup;

use super::{Kept, Message, Schedule, micros};
use crate::diagnostic::{Class, Diagnostic, Level};
use crate::event::Status;
use crate::execute::{Key, NotRun, Ran};
use crate::pin::{Done, Pinned};
use crate::profile::{Open, SpanKind};
use crate::reason::{Reason, reason};

/// What came of one step.
pub(super) enum Performed {
    Hit { key: ActionDigest, why: Reason, record: RunRecord, command: String, tree: TreeDigest },
    Ran { key: ActionDigest, why: Reason, ran: Ran, command: String },
    Failed(Box<Diagnostic>),
    Cancelled,
}

impl Schedule<'_> {
    /// Performs a step that has been ready since `ready`, and sends what came of it.
    pub(super) fn perform(&self, step: usize, ready: Instant, sender: &Sender<Message>) {
        let mut span = self.span(SpanKind::Step, self.steps.label(step));
        span.note("waited_us", || micros(ready.elapsed()));
        let result = self.try_perform(step, sender).unwrap_or_else(|not_run| match not_run {
            NotRun::Cancelled => Performed::Cancelled,
            NotRun::Failed(diagnostic) => Performed::Failed(diagnostic),
        });
        result.describe(&mut span);
        drop(span);
        // The receiver outlives the scope in which this runs.
        let _ = sender.send(Message::Finished { step, result: Box::new(result) });
    }

    fn try_perform(&self, step: usize, sender: &Sender<Message>) -> Result<Performed, NotRun> {
        if self.runner.cancel.is_cancelled() {
            return Err(NotRun::Cancelled);
        }
        let label = self.steps.label(step);
        let span = self.span(SpanKind::Step, "pin");
        let pinned = self.steps.pin(step).map_err(NotRun::Failed)?;
        drop(span);
        let (action, key) = pinned.action.encode_with_digest();
        let command = shell_line(&pinned);
        let past = self.history.get(label);
        let span = self.span(SpanKind::Step, "look up");
        // Two steps with one key: the second finds what the first has made.
        let _turn = self.busy.wait_for(key);
        let force = self.rules.rebuild && self.steps.is_requested(step);
        let found = self.runner.recall(&key)?;
        drop(span);
        match found {
            Lookup::Hit(stored) if !force => {
                let tree = stored.tree();
                let record = stored.into_record();
                let done = Done { tree, manifest: record.outputs.clone() };
                let dur_ms = record.usage.wall_us / 1000;
                self.steps.done(step, Kept { pinned: &pinned, key, done, dur_ms });
                return Ok(Performed::Hit { key, why: Reason::Remembered, record, command, tree });
            }
            Lookup::Hit(_) | Lookup::Miss => {}
            Lookup::Corrupt(corruption) => {
                let _ =
                    sender.send(Message::Warning(Box::new(corruption_warning(label, &corruption))));
            }
        }
        let why =
            if force { Reason::Asked } else { reason(self.runner.store, past, &key, &action) };
        let started = || self.begins(step, key);
        let ran =
            self.runner.run(&pinned, &Key { digest: key, action: &action }, label, &started)?;
        if let Some(corruption) = &ran.corruption {
            let _ = sender.send(Message::Warning(Box::new(corruption_warning(label, corruption))));
        }
        if let Some(tree) = ran.tree {
            let done = Done { tree, manifest: ran.record.outputs.clone() };
            let dur_ms = ran.record.usage.wall_us / 1000;
            self.steps.done(step, Kept { pinned: &pinned, key, done, dur_ms });
        }
        Ok(Performed::Ran { key, why, ran, command })
    }

    fn span(&self, kind: SpanKind, name: &str) -> Open<'_> {
        self.runner.profile.begin(kind, || name.to_owned())
    }
}

impl Performed {
    /// Notes beside its time what came of the step.
    fn describe(&self, span: &mut Open) {
        let status = match self {
            Performed::Hit { .. } => Status::Hit,
            Performed::Ran { ran: Ran { tree: Some(_), .. }, .. } => Status::Ran,
            Performed::Ran { .. } | Performed::Failed(_) => Status::Failed,
            Performed::Cancelled => Status::Aborted,
        };
        span.note_text("status", status);
        if let Performed::Hit { key, why, .. } | Performed::Ran { key, why, .. } = self {
            span.note_text("key", key);
            span.note_text("why", why);
        }
        if let Performed::Ran { ran, .. } = self {
            span.note_text("outcome", &ran.record.outcome);
        }
    }
}

fn corruption_warning(label: &str, corruption: &wake_store::Corruption) -> Diagnostic {
    let mut diagnostic =
        Diagnostic::error(Class::Integrity, format!("{label}: in the store, {corruption}"))
            .help("it is built again; `wake store verify` looks at everything else");
    diagnostic.level = Level::Warning;
    diagnostic
}

/// The command as a person would type it.
fn shell_line(pinned: &Pinned) -> String {
    let mut line = String::new();
    if let Command::Run(run) = &pinned.action.command {
        line.reserve(run.args.iter().map(|arg| arg.len() + 1).sum::<usize>() + run.program.len());
        push_quoted(&run.program, &mut line);
        for arg in &run.args {
            line.push(' ');
            push_quoted(arg, &mut line);
        }
    }
    line
}

fn push_quoted(word: &str, line: &mut String) {
    let plain = |c: u8| {
        c.is_ascii_alphanumeric()
            || matches!(c, b'-' | b'_' | b'.' | b'/' | b'=' | b':' | b',' | b'+' | b'@' | b'%')
    };
    if !word.is_empty() && word.bytes().all(plain) {
        line.push_str(word);
    } else {
        line.push('\'');
        line.push_str(&word.replace('\'', "'\\''"));
        line.push('\'');
    }
}
