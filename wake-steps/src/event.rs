//! Events: what happens during a run.
//!
//! One stream of events feeds the terminal, the JSON stream and the run's log. Its JSON form is
//! described in `spec/events.md`; within one `v`, fields and kinds are only ever added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wake_exec::Stream;
use wake_model::WareId;

use crate::diagnostic::Diagnostic;

/// The version of the JSON form of [`Event`].
pub const EVENT_VERSION: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Event {
    /// The run began; always first.
    #[serde(rename = "started")]
    Started {
        /// [`EVENT_VERSION`].
        v: u32,
        /// The run's name.
        run: String,
        /// The program's version.
        wake: String,
        /// The command line.
        argv: Vec<String>,
        /// The directory the run is about.
        root: String,
        /// The sandbox level.
        sandbox: String,
        /// The most commands that run at once.
        #[serde(default)]
        jobs: usize,
        /// The identity of the machine, if the run reports it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// A line of the lock changed; sent by the front that has a lock.
    #[serde(rename = "locked")]
    Locked {
        /// The change, for the user: `+ acme/greet 1.2.0`.
        change: String,
    },
    /// Packages were fetched from registries; sent by the front that has registries.
    #[serde(rename = "fetched")]
    Fetched {
        /// How many.
        pkgs: usize,
        /// The total size of their files, in bytes.
        bytes: u64,
        /// Milliseconds since the start.
        t_ms: u64,
    },
    /// A package's exec is asked to retrieve packages; sent by the front that has packages.
    #[serde(rename = "retrieving")]
    Retrieving {
        /// The label of the package.
        by: String,
        /// How many packages it is asked for.
        pkgs: usize,
    },
    /// Functions of packages and modules were evaluated; sent by the front that has packages.
    #[serde(rename = "evaluated")]
    Evaluated {
        /// Packages loaded.
        pkgs: usize,
        /// Modules planned.
        modules: usize,
        /// All evaluations.
        evaluations: usize,
        /// Evaluations whose result was cached.
        cached: usize,
        /// Milliseconds since the start.
        t_ms: u64,
    },
    /// A step is part of the run; exactly one `action.finished` with the same id follows.
    #[serde(rename = "target.announced")]
    Announced {
        /// The number of the step in this run.
        id: usize,
        /// Its label, `//web:bundle`.
        label: String,
        /// The steps that it depends on.
        needs: Vec<usize>,
        /// Whether the user asked for it.
        requested: bool,
        /// How long it took last time, if known.
        usual_ms: Option<u64>,
        /// Its name in another system, such as a formula's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<String>,
        /// Whether it is a test. Absent if it is not.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        test: bool,
    },
    /// A ware that a step needs is being fetched and unpacked.
    #[serde(rename = "ware.unpacking")]
    WareUnpacking {
        /// The step.
        id: usize,
        /// The ware.
        ware: WareId,
    },
    /// An unpacked ware has been altered since and is not used.
    #[serde(rename = "ware.altered")]
    WareAltered {
        /// The step.
        id: usize,
        /// The ware.
        ware: WareId,
    },
    /// A command started.
    #[serde(rename = "action.started")]
    ActionStarted {
        /// The step.
        id: usize,
        /// Its label.
        label: String,
        /// The key of the action cache.
        key: String,
        /// Milliseconds since the start.
        t_ms: u64,
    },
    /// A command wrote something, and its step asks for live output. Not written to the log of a run, because all output is
    /// kept as a whole.
    #[serde(rename = "action.output")]
    ActionOutput {
        /// The step.
        id: usize,
        /// The stream that it was written to.
        stream: Stream,
        /// Any number of bytes, not necessarily whole lines. In JSON, text in which invalid UTF-8 is replaced.
        #[serde(rename = "text", with = "lossy")]
        bytes: Vec<u8>,
    },
    /// A step ended.
    #[serde(rename = "action.finished")]
    ActionFinished(Box<ActionFinished>),
    /// An error or a warning.
    #[serde(rename = "diagnostic")]
    Diagnostic(Box<Diagnostic>),
    /// A line from `std.trace`, also if the evaluation was cached.
    #[serde(rename = "trace")]
    Trace {
        /// The thing that was evaluated.
        label: String,
        /// The line.
        text: String,
    },
    /// A result link was created.
    #[serde(rename = "linked")]
    Linked {
        /// The step.
        id: usize,
        /// The link, relative to the directory the run is about.
        path: String,
    },
    /// The run ended; always last.
    #[serde(rename = "finished")]
    Finished {
        /// The exit code of the program.
        exit: u8,
        /// Every class of failure that occurred, the lowest first.
        classes: Vec<u8>,
        /// The steps, by how they ended.
        counts: Counts,
        /// Milliseconds from start to end.
        wall_ms: u64,
        /// Processor milliseconds that cached results originally cost.
        saved_ms: u64,
        /// Packages that override published ones: `acme/tls by //libs/tls`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overrides: Vec<String>,
    },
}

/// How a step ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionFinished {
    /// The step.
    pub id: usize,
    /// Its label.
    pub label: String,
    /// How it ended.
    pub status: Status,
    /// Its key in the action cache; none if the step was never pinned.
    pub key: Option<String>,
    /// How its command ended: `exit 2`, `signal 9`, `time limit`; none if no command ran.
    pub outcome: Option<String>,
    /// The exit status as a shell reports it.
    pub exit: Option<i32>,
    /// Why it ran, or did not run.
    pub why: String,
    /// Milliseconds that the command took; for a cache hit, in the original run.
    pub dur_ms: u64,
    /// Microseconds spent around the command: setting up and collecting.
    pub sandbox_us: u64,
    /// Microseconds of processor time.
    pub cpu_us: u64,
    /// The peak resident memory of one process, in bytes.
    pub rss_max: u64,
    /// The digest of the tree of its outputs.
    pub outputs: Option<String>,
    /// The digest of its standard output; none if empty.
    pub stdout: Option<String>,
    /// The digest of its standard error; none if empty.
    pub stderr: Option<String>,
    /// The end of its standard output, not escaped; at most 4 KiB.
    pub stdout_tail: String,
    /// The end of its standard error, not escaped; at most 4 KiB.
    pub stderr_tail: String,
    /// What is wrong with the outputs of a command that succeeded, a line each.
    pub faults: Vec<String>,
    /// Hints if it failed, a line each. Absent in logs of earlier releases.
    #[serde(default)]
    pub help: Vec<String>,
    /// The command, as a user would type it.
    pub command: String,
    /// More about the command; none if none ran. Absent in logs of earlier releases.
    #[serde(default)]
    pub execution: Option<Execution>,
    /// How often it was tried, for a test that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestRuns>,
    /// When all its dependencies were done, in milliseconds since the start; none if they never were.
    pub ready_ms: Option<u64>,
    /// When its command began, or, if none ran, when wake took the step up.
    pub start_ms: Option<u64>,
    /// When it ended, in milliseconds since the start.
    pub t_ms: u64,
}

/// How often a test was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRuns {
    /// All runs of its command.
    pub attempts: u32,
    /// Runs that failed.
    pub failures: u32,
}

/// One run of a command, beyond what its step tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Its name among all runs.
    pub guid: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// How long it took, in microseconds.
    pub wall_us: u64,
    /// The part of the processor time spent in user mode, in microseconds.
    pub user_us: u64,
    /// The identity of the host whose directories it saw; none if it saw none.
    pub host: Option<String>,
    /// The outputs that are kept as packed wares, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wares: BTreeMap<String, WareId>,
    /// Whether its key covers all that it saw: no host mounts and no network. Absent in logs of earlier
    /// releases.
    #[serde(default = "yes")]
    pub hermetic: bool,
}

fn yes() -> bool {
    true
}

mod lossy {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&String::from_utf8_lossy(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(from).map(String::into_bytes)
    }
}

/// How a step ended, in one word; the default is for a step that was never tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It ran and succeeded.
    Ran,
    /// Its result was cached.
    Hit,
    /// It ran and failed, or could not be run.
    Failed,
    /// A dependency failed.
    Skipped,
    /// The build was stopped first.
    #[default]
    Aborted,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// The steps of a build, counted by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All steps of the plan.
    pub total: usize,
    /// Cache hits.
    pub hit: usize,
    /// Ran and succeeded.
    pub ran: usize,
    /// Ran and failed.
    pub failed: usize,
    /// Not tried because a dependency failed.
    pub skipped: usize,
    /// Not tried because the build was stopped.
    pub aborted: usize,
}

impl Counts {
    /// Adds the steps of `other`, which are already part of the total, by how they ended.
    pub fn add(&mut self, other: &Counts) {
        let Counts { total: _, hit, ran, failed, skipped, aborted } = other;
        self.hit += hit;
        self.ran += ran;
        self.failed += failed;
        self.skipped += skipped;
        self.aborted += aborted;
    }
}

/// Receives the events of a build, always from one thread and in order.
pub trait Reporter {
    /// Receives one event.
    fn event(&mut self, event: &Event);

    /// Called several times a second while nothing happens, to update clocks and bars.
    fn tick(&mut self) {}

    /// Returns, once, why events that the user asked for were lost, if any were.
    fn take_fault(&mut self) -> Option<std::io::Error> {
        None
    }
}
