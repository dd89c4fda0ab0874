//! A run of a machine, from its first event to its last: reported, logged and recorded in the history.

use std::path::Path;
use std::time::Instant;

use wake_store::ware::new_guid;
use wake_store::{ConfinedPath, Store};

use crate::cancel::Cancel;
use crate::clock;
use crate::diagnostic::{Class, Diagnostic, Failure, Level};
use crate::event::{Counts, EVENT_VERSION, Event, Reporter};
use crate::history::History;
use crate::machine::Machine;
use crate::run_log::LogWriter;
use crate::schedule::BatchResult;
use crate::step::StepId;
use crate::steps::Steps;

/// What is known of a run before it begins, and where its log goes.
pub struct Run<'a> {
    /// The state directory that the run belongs to; its log is put below it.
    pub state_dir: &'a ConfinedPath,
    /// How many logs are kept there.
    pub kept_logs: usize,
    /// The command line.
    pub argv: &'a [String],
    /// The directory the run is about.
    pub root: &'a Path,
    /// Whether the run reports the identity of the machine, which takes a moment to read.
    pub tells_host: bool,
    /// Stops the run.
    pub cancel: &'a Cancel,
    /// When the run began.
    pub started: Instant,
    /// Packages that override published ones.
    pub overrides: &'a [String],
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunEnd {
    /// The exit code of the program.
    pub exit: u8,
    /// The steps, by how they ended.
    pub counts: Counts,
}

impl Machine {
    /// Runs `work` between the events with which every run begins and ends.
    pub fn run<T>(
        &self,
        run: &Run<'_>,
        reporter: &mut dyn Reporter,
        work: impl FnOnce(&mut dyn Reporter, &mut BatchResult) -> Result<T, Failure>,
    ) -> (RunEnd, Option<T>) {
        let name = new_guid();
        let mut reporter = LogWriter::start(reporter, run.state_dir, &name, run.kept_logs);
        reporter.event(&Event::Started {
            v: EVENT_VERSION,
            run: name,
            wake: env!("CARGO_PKG_VERSION").to_owned(),
            argv: run.argv.to_vec(),
            root: run.root.display().to_string(),
            sandbox: self.sandbox().as_ref().to_owned(),
            jobs: self.jobs(),
            host: run.tells_host.then(|| self.host().ok()).flatten().map(|host| host.to_string()),
        });
        if self.store().is_taken_over() {
            reporter.event(&Event::Diagnostic(Box::new(taken_over(self.store()))));
        }
        let mut ending = BatchResult::default();
        let done = match work(&mut reporter, &mut ending) {
            Ok(done) => Some(done),
            Err(failure) => {
                for diagnostic in failure.diagnostics {
                    ending.classes.push(diagnostic.class);
                    reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
                }
                None
            }
        };
        let BatchResult { counts, mut classes, saved_ms, .. } = ending;
        if run.cancel.is_cancelled() {
            classes = vec![Class::Interrupted];
        }
        classes.sort_unstable();
        classes.dedup();
        let exit = classes.first().map_or(0, |class| class.exit_code());
        reporter.event(&Event::Finished {
            exit,
            classes: classes.iter().map(|class| class.exit_code()).collect(),
            counts,
            wall_ms: clock::ms_since(run.started),
            saved_ms,
            overrides: run.overrides.to_vec(),
        });
        (RunEnd { exit, counts }, done)
    }
}

fn taken_over(store: &Store) -> Diagnostic {
    let message = format!("`{}` was written by an earlier wake", store.root().display());
    let mut diagnostic = Diagnostic::error(Class::Environment, message)
        .note("its cache keys have changed, so everything is built again");
    diagnostic.level = Level::Warning;
    diagnostic
}

/// Announces every step, with how long it took last time.
pub fn announce(steps: &dyn Steps, history: &History, reporter: &mut dyn Reporter) {
    for &step in steps.order() {
        reporter.event(&Event::Announced {
            id: step.0,
            label: steps.label(step).to_owned(),
            needs: steps.needs(step).into_iter().map(|StepId(need)| need).collect(),
            requested: steps.is_requested(step),
            usual_ms: history.get(steps.past_name(step)).map(|past| past.dur_ms),
            identity: steps.identity(step),
            test: steps.test(step).is_some(),
        });
    }
}

impl History {
    /// Records the results of a batch.
    pub fn note_all(&mut self, steps: &dyn Steps, ending: &BatchResult) {
        for (step, key, dur_ms) in &ending.keys {
            self.note(steps.past_name(*step), *key, *dur_ms);
        }
    }
}
