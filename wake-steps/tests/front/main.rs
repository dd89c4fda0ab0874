//! What a front gets for handing over steps: they are built, cached, explained and logged, here or by another engine.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod script;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use script::Script;
use wake_exec::{Executor, WorkerCommand};
use wake_model::{Manifest, SandboxLevel, TreeDigest};
use wake_steps::engine::{Engine, EngineRequest, Performance, Whereabouts};
use wake_steps::error::StepError;
use wake_steps::event::{ActionFinished, Counts, Event, Reporter, Status};
use wake_steps::explain::{Outlook, PlannedState};
use wake_steps::here::Here;
use wake_steps::history::History;
use wake_steps::profile::Profile;
use wake_steps::run::{Run, announce};
use wake_steps::{Batch, Cancel, Machine, Results, SchedulePolicy, Steps, clock, run_log};
use wake_store::{AdoptError, Adopted, ConfinedPath, Lookup, Store};

const WORKER: &str = "__sandbox";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        return wake_exec::serve();
    }
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok::<(), Failed>(())
        })
    };
    let trials = vec![
        trial("a_front_is_built_cached_explained_and_logged", built_cached_explained_and_logged),
        trial("what_a_command_says_and_a_failure_are_told", failure_is_told),
        trial("what_nobody_asked_for_may_stay_where_an_engine_has_it", engine_far_away),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

const WORDS: &str = "\
words: printf 'wake sleep wake'
count: wc -w < words
report: cat words count
";

/// A machine, with a directory for a front's state.
struct Bed {
    dir: tempfile::TempDir,
    machine: Machine,
}

/// All events of a run.
#[derive(Default)]
struct Heard(Vec<Event>);

impl Reporter for Heard {
    fn event(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

impl Bed {
    fn new(engine: impl FnOnce(&Path, Arc<Store>) -> Box<dyn Engine>) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let engine = engine(dir.path(), store.clone());
        let (strict, profile) = (SandboxLevel::Strict, Profile::default());
        let machine = Machine::with_engine(store, engine, Some(2), strict, profile).unwrap();
        Bed { dir, machine }
    }

    fn here() -> Bed {
        Bed::new(|_, store| Box::new(Here::new(store, executor())))
    }

    /// Performs a script in a run of its own; returns the counts, the finished steps, and the output of the last step.
    fn perform(&self, script: &Script) -> (Counts, Vec<ActionFinished>, Option<String>) {
        let (state_dir, cancel, started) = (self.state_dir(), Cancel::new().unwrap(), clock::now());
        let argv = ["script".to_owned()];
        let run = Run {
            state_dir: &state_dir,
            kept_logs: 10,
            overrides: &[],
            argv: &argv,
            root: self.dir.path(),
            tells_host: false,
            cancel: &cancel,
            started,
        };
        let (mut history, results) = (self.history(), Results::new(script.order().len()));
        let mut heard = Heard::default();
        let (end, _) = self.machine.run(&run, &mut heard, |reporter, ending| {
            announce(script, &history, reporter);
            let sources = self.dir.path().to_owned();
            let work = Batch {
                steps: script,
                results: &results,
                sources: &sources,
                history: &history,
                rules: SchedulePolicy::default(),
                cancel: &cancel,
                started,
            };
            *ending = self.machine.perform(&work, reporter);
            history.note_all(script, ending);
            history.write(&state_dir.join("history")).unwrap();
            Ok(())
        });
        let finished = heard.0.into_iter().filter_map(|event| match event {
            Event::ActionFinished(finished) => Some(*finished),
            _ => None,
        });
        let last = script.order().last().copied();
        let left = last.and_then(|step| {
            let tree = self.machine.store().tree_place(&results.get(step)?.tree);
            std::fs::read_to_string(tree.join(script.label(step))).ok()
        });
        (end.counts, finished.collect(), left)
    }

    fn history(&self) -> History {
        History::read(&self.state_dir().join("history")).unwrap_or_default()
    }

    fn state_dir(&self) -> ConfinedPath {
        ConfinedPath::top(self.dir.path()).unwrap()
    }

    fn look<T>(&self, script: &Script, look: impl FnOnce(&Outlook<'_>) -> T) -> T {
        let (results, history) = (Results::new(script.order().len()), self.history());
        let cancel = Cancel::new().unwrap();
        look(&Outlook::new(&self.machine, script, &results, &history, &cancel))
    }
}

fn executor() -> Executor {
    let program = std::env::current_exe().unwrap();
    let worker = WorkerCommand { program, args: vec![WORKER.to_owned()] };
    Executor::new(worker)
}

fn built_cached_explained_and_logged() {
    let bed = Bed::here();
    let script = Script::read(WORDS);
    let (counts, finished, report) = bed.perform(&script);
    assert_eq!((counts.total, counts.ran), (3, 3), "{finished:?}");
    assert_eq!(report.unwrap(), "wake sleep wake3\n");
    assert_eq!(finished[0].why, "never built here");

    let (counts, _, report) = bed.perform(&script);
    assert_eq!((counts.hit, counts.ran), (3, 0));
    assert_eq!(report.unwrap(), "wake sleep wake3\n");

    // Different words, same count: the last step has a different input, the counting step the same output.
    let edited = Script::read(&WORDS.replace("sleep", "dream"));
    let states: Vec<_> = bed.look(&edited, |outlook| {
        outlook.plan().unwrap().into_iter().map(|step| (step.label, step.state)).collect()
    });
    let expected = [PlannedState::Run, PlannedState::Unknown, PlannedState::Unknown];
    assert_eq!(states.iter().map(|(_, state)| *state).collect::<Vec<_>>(), expected);
    let (counts, finished, report) = bed.perform(&edited);
    assert_eq!((counts.ran, counts.hit), (3, 0), "{finished:?}");
    assert_eq!(report.unwrap(), "wake dream wake3\n");
    let why = bed.look(&edited, |outlook| {
        outlook.plan().unwrap();
        outlook.why(edited.order()[2]).unwrap()
    });
    // Why: from the report to the words, and from there to the edited line.
    assert_eq!(why.summary, "report ran last because of: changed inputs words");
    let because = why.changes[0].because.as_ref().unwrap();
    assert_eq!(because.changes[0].place.as_deref(), Some("script:1:1"));

    let logs = run_log::list(&bed.state_dir());
    assert_eq!(logs.len(), 3);
    let log = std::fs::read_to_string(logs[2].1.path()).unwrap();
    assert_eq!(log.matches(r#""kind":"action.finished""#).count(), 3, "{log}");
}

fn failure_is_told() {
    let bed = Bed::here();
    let script = Script::read("a: echo oh >&2; exit 3\nb: cat a\n");
    let (counts, finished, left) = bed.perform(&script);
    assert_eq!((counts.failed, counts.skipped, left), (1, 1, None));
    assert_eq!((finished[0].status, finished[0].exit), (Status::Failed, Some(3)));
    assert_eq!(finished[0].stderr_tail, "oh\n");
    // Failures are not cached.
    assert_eq!(bed.perform(&script).0.failed, 1);
}

/// Performs everything on a store of its own, as a remote machine would.
struct Away {
    far: Arc<Store>,
    inner: Here,
    near: Arc<Store>,
}

impl Engine for Away {
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        let mut performance = self.inner.perform(order)?;
        if let Ok(Some(left)) = &mut performance.left {
            left.bytes = Whereabouts::Away;
        }
        Ok(performance)
    }

    fn bring(&self, tree: &TreeDigest, manifest: &Manifest) -> Result<Adopted, StepError> {
        let place = self.near.place()?;
        wake_tests::copy_tree(&self.far.tree_place(tree), place.path());
        let adopted =
            self.near.adopt_tree(place.path(), manifest).map_err(|error| match error {
                AdoptError::Store(error) => StepError::Store(error),
                other @ AdoptError::NotAsDeclared { .. } => StepError::Integrity(other.to_string()),
            })?;
        place.taken();
        Ok(adopted)
    }
}

fn engine_far_away() {
    let mut far = None;
    let bed = Bed::new(|dir, near| {
        let store = Arc::new(Store::open(&dir.join("far")).unwrap());
        far = Some(store.clone());
        Box::new(Away { inner: Here::new(store.clone(), executor()), far: store, near })
    });
    let script = Script::read(WORDS);
    let (counts, finished, report) = bed.perform(&script);
    assert_eq!(counts.ran, 3, "{finished:?}");
    assert_eq!(report.unwrap(), "wake sleep wake3\n");
    let is_in = |store: &Store, step: usize| {
        let tree: TreeDigest = finished[step].outputs.as_ref().unwrap().parse().unwrap();
        matches!(store.tree(&tree).unwrap(), Lookup::Hit(_))
    };
    let far = far.unwrap();
    // Only the requested output was copied.
    assert_eq!([0, 1, 2].map(|step| is_in(&far, step)), [true; 3]);
    assert_eq!([0, 1, 2].map(|step| is_in(bed.machine.store(), step)), [false, false, true]);
}
