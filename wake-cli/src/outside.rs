//! Steps of documents that belong to no workspace: carried out, logged and remembered with the store.

use std::path::PathBuf;

use wake_steps::diagnostic::Failure;
use wake_steps::event::Reporter;
use wake_steps::history::History;
use wake_steps::run::{Run, RunEnd, announce};
use wake_steps::{Batch, Cancel, Machine, Results, SchedulePolicy, Steps, clock};
use wake_store::ConfinedPath;

use crate::settings::Settings;

/// So many logs of runs are kept.
const KEPT_LOGS: usize = 1000;

/// What steps are carried out with.
pub(crate) struct Outside<'a> {
    /// What performs them, and whose store remembers them.
    pub machine: &'a Machine,
    /// What was typed, and where.
    pub settings: &'a Settings,
    /// How to go about it.
    pub rules: SchedulePolicy,
    /// Whether the identity of the machine is told: reading it takes a moment.
    pub tells_host: bool,
    /// Stops it.
    pub cancel: &'a Cancel,
}

impl Outside<'_> {
    /// Performs `steps`, telling `reporter` of each; what they leave is in `results`.
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
            // Only explanations and estimates are lost with it.
            let _ = history.write(&history_file(machine));
            Ok::<(), Failure>(())
        });
        end
    }
}

/// What such steps did before.
pub(crate) fn history(machine: &Machine) -> History {
    History::read(&history_file(machine)).unwrap_or_default()
}

fn history_file(machine: &Machine) -> ConfinedPath {
    machine.store().outside_dir().join("state/history")
}
