//! Steps of documents outside a workspace: performed, logged and cached in the store.

use std::path::PathBuf;

use wake_steps::diagnostic::Failure;
use wake_steps::event::Reporter;
use wake_steps::history::History;
use wake_steps::run::{Run, RunEnd, announce};
use wake_steps::{Batch, Cancel, Machine, Results, SchedulePolicy, Steps, clock};
use wake_store::ConfinedPath;

use crate::settings::Settings;

/// The number of run logs to keep.
const KEPT_LOGS: usize = 1000;

/// What steps are performed with.
pub(crate) struct Outside<'a> {
    /// Performs the steps; its store caches them.
    pub machine: &'a Machine,
    /// The settings of the call.
    pub settings: &'a Settings,
    /// The scheduling policy.
    pub rules: SchedulePolicy,
    /// Whether to record the identity of the machine, which takes a moment to read.
    pub tells_host: bool,
    /// Cancels the run.
    pub cancel: &'a Cancel,
}

impl Outside<'_> {
    /// Performs `steps`, reporting each to `reporter`; their outputs are in `results`.
    pub(crate) fn perform(
        &self,
        steps: &dyn Steps,
        results: &Results,
        reporter: &mut dyn Reporter,
    ) -> RunEnd {
        let Outside { machine, settings, rules, tells_host, cancel } = *self;
        let started = clock::now();
        let run = Run {
            state_dir: &machine.store().outside_dir(),
            kept_logs: KEPT_LOGS,
            overrides: &[],
            argv: &settings.argv,
            root: &settings.cwd,
            tells_host,
            cancel,
            started,
        };
        let mut history = history(machine);
        let (end, _) = machine.run(&run, reporter, |reporter, ending| {
            announce(steps, &history, reporter);
            let work = Batch {
                steps,
                results,
                sources: &PathBuf::from("/"),
                history: &history,
                rules,
                cancel,
                started,
            };
            *ending = machine.perform(&work, reporter);
            history.note_all(steps, ending);
            // A failure loses only explanations and estimates.
            let _ = history.write(&history_file(machine));
            Ok::<(), Failure>(())
        });
        end
    }
}

/// Returns the history of such steps.
pub(crate) fn history(machine: &Machine) -> History {
    History::read(&history_file(machine)).unwrap_or_default()
}

fn history_file(machine: &Machine) -> ConfinedPath {
    machine.store().outside_dir().join("state/history")
}
