//! What a build says while it goes on.
//!
//! One stream of these feeds the terminal, the JSON stream and the run's log. The JSON form is
//! described in `spec/events.md`; within one `v` fields and kinds are only ever added.

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
    /// The build began; always first.
    #[serde(rename = "started")]
    Started {
        /// [`EVENT_VERSION`].
        v: u32,
        /// The run's name.
        run: String,
        /// The program's version.
        wake: String,
        /// What was typed.
        argv: Vec<String>,
        /// The directory that it is about.
        root: String,
        /// How strictly commands are kept to what is declared.
        sandbox: String,
        /// How many commands run at once at most.
        #[serde(default)]
        jobs: usize,
        /// The identity of the machine, where the run is to tell it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// A line of the lock changed; told by the front that has one.
    #[serde(rename = "locked")]
    Locked {
        /// What became of it, as a person reads it: `+ acme/greet 1.2.0`.
        change: String,
    },
    /// Packages were fetched from registries; told by the front that has such.
    #[serde(rename = "fetched")]
    Fetched {
        /// How many.
        pkgs: usize,
        /// The bytes of their files.
        bytes: u64,
        /// Milliseconds since the start.
        t_ms: u64,
    },
    /// An exec of a package is asked for packages; told by the front that has such.
    #[serde(rename = "retrieving")]
    Retrieving {
        /// The package whose exec it is, as a person calls it.
        by: String,
        /// How many packages it is asked for.
        pkgs: usize,
    },
    /// Functions of packages and modules were evaluated; told by the front that has such.
    #[serde(rename = "evaluated")]
    Evaluated {
        /// Packages loaded.
        pkgs: usize,
        /// Modules planned.
        modules: usize,
        /// Evaluations in all.
        evaluations: usize,
        /// Of those, how many were remembered.
        cached: usize,
        /// Milliseconds since the start.
        t_ms: u64,
    },
    /// A step will be looked at; every one of these is followed by an
    /// `action.finished` of the same id.
    #[serde(rename = "target.announced")]
    Announced {
        /// The number of the step in this run.
        id: usize,
        /// What a person calls it, `//web:bundle`.
        label: String,
        /// The steps that must be done before it.
        needs: Vec<usize>,
        /// Whether it was asked for by name.
        requested: bool,
        /// How long it took last time, where that is known.
        usual_ms: Option<u64>,
        /// What another system calls it, as the formula that it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<String>,
        /// Whether it is a test. Absent for what is none.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        test: bool,
    },
    /// A ware that a step needs is fetched and unpacked.
    #[serde(rename = "ware.unpacking")]
    WareUnpacking {
        /// The step.
        id: usize,
        /// The ware.
        ware: WareId,
    },
    /// A ware that was unpacked before has been altered since, and is not used.
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
        /// What a person calls it.
        label: String,
        /// The key of the action cache.
        key: String,
        /// Milliseconds since the start.
        t_ms: u64,
    },
    /// A command wrote something, and somebody wants to see it as it is written. In no log of a run: what a command
    /// wrote is kept as a whole.
    #[serde(rename = "action.output")]
    ActionOutput {
        /// The step.
        id: usize,
        /// Where it was written.
        stream: Stream,
        /// What: any number of bytes, not whole lines. As JSON, text in which what is not UTF-8 is replaced.
        #[serde(rename = "text", with = "lossy")]
        bytes: Vec<u8>,
    },
    /// A step ended.
    #[serde(rename = "action.finished")]
    ActionFinished(Box<ActionFinished>),
    /// Something that a person should read.
    #[serde(rename = "diagnostic")]
    Diagnostic(Box<Diagnostic>),
    /// A line that `std.trace` gave, also when its evaluation was remembered.
    #[serde(rename = "trace")]
    Trace {
        /// What was evaluated.
        label: String,
        /// The text.
        text: String,
    },
    /// A result was linked to where a person finds it.
    #[serde(rename = "linked")]
    Linked {
        /// The step.
        id: usize,
        /// The link, relative to the directory that the run is about.
        path: String,
    },
    /// The build ended; always last.
    #[serde(rename = "finished")]
    Finished {
        /// The exit code of the program.
        exit: u8,
        /// Every class of failure that occurred, the lowest first.
        classes: Vec<u8>,
        /// What became of the steps.
        counts: Counts,
        /// Milliseconds from start to end.
        wall_ms: u64,
        /// Processor milliseconds that remembered results once cost.
        saved_ms: u64,
        /// What stands in for published packages: `acme/tls by //libs/tls`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overrides: Vec<String>,
    },
}

/// How a step ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionFinished {
    /// The step.
    pub id: usize,
    /// What a person calls it.
    pub label: String,
    /// How it ended.
    pub status: Status,
    /// The key of the action cache; none where the step was never pinned.
    pub key: Option<String>,
    /// How its command ended, `exit 2`, `signal 9`, `time limit`; none where none ran.
    pub outcome: Option<String>,
    /// The exit status as shells give it.
    pub exit: Option<i32>,
    /// Why it ran, or why it did not.
    pub why: String,
    /// Milliseconds that the command took; of the remembered run for a hit.
    pub dur_ms: u64,
    /// Microseconds around the command: setting up and collecting.
    pub sandbox_us: u64,
    /// Microseconds of processor time.
    pub cpu_us: u64,
    /// The most resident memory of one process, in bytes.
    pub rss_max: u64,
    /// The digest of the tree of its outputs.
    pub outputs: Option<String>,
    /// The digest of what it wrote to standard output; none if it wrote nothing.
    pub stdout: Option<String>,
    /// The digest of what it wrote to standard error.
    pub stderr: Option<String>,
    /// The end of what it wrote to standard output and error, not yet escaped; at most 4 KiB each.
    pub stdout_tail: String,
    /// The end of standard error.
    pub stderr_tail: String,
    /// What is wrong with the outputs of a command that itself succeeded, a line each.
    pub faults: Vec<String>,
    /// What may help if it failed, a line each. Absent in logs of earlier releases.
    #[serde(default)]
    pub help: Vec<String>,
    /// The command, as a person would type it.
    pub command: String,
    /// What is left to say of a command that ran; none where none did. Absent in logs of earlier releases.
    #[serde(default)]
    pub execution: Option<Execution>,
    /// How often it was tried, if it is a test that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestRuns>,
    /// When everything that it needs was there, in milliseconds since the start; none if it never was.
    pub ready_ms: Option<u64>,
    /// When its command began, or where none ran, when it was taken up.
    pub start_ms: Option<u64>,
    /// When it ended, in milliseconds since the start.
    pub t_ms: u64,
}

/// How often a test was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRuns {
    /// All runs of its command.
    pub attempts: u32,
    /// Those that failed.
    pub failures: u32,
}

/// One run of a command, as far as its step does not say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Its name among all runs.
    pub guid: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// How long it took, in microseconds.
    pub wall_us: u64,
    /// How much of the processor time was its own and not the kernel's, in microseconds.
    pub user_us: u64,
    /// The identity of the host whose directories it saw; none if it saw none.
    pub host: Option<String>,
    /// The outputs that are kept as packed wares, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wares: BTreeMap<String, WareId>,
    /// Whether its key says all that it saw: nothing of the machine as it lies, no network. Absent in logs of earlier
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

/// How a step ended, in one word; what became of one that was never tried, unless something else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It ran and succeeded.
    Ran,
    /// It was remembered.
    Hit,
    /// It ran and failed, or could not be run.
    Failed,
    /// A step that it needs failed.
    Skipped,
    /// The build was stopped before it.
    #[default]
    Aborted,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// What became of the steps of a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps in the plan.
    pub total: usize,
    /// Remembered.
    pub hit: usize,
    /// Ran and succeeded.
    pub ran: usize,
    /// Ran and failed.
    pub failed: usize,
    /// Not tried because of a failure before them.
    pub skipped: usize,
    /// Not tried because the build was stopped.
    pub aborted: usize,
}

impl Counts {
    /// Adds the steps of `other`, which are among the total already, to what became of them.
    pub fn add(&mut self, other: &Counts) {
        let Counts { total: _, hit, ran, failed, skipped, aborted } = other;
        self.hit += hit;
        self.ran += ran;
        self.failed += failed;
        self.skipped += skipped;
        self.aborted += aborted;
    }
}

/// Takes the events of a build, always from one thread and in order.
pub trait Reporter {
    /// Takes one event.
    fn event(&mut self, event: &Event);

    /// Called a few times a second while nothing happens, for clocks and bars.
    fn tick(&mut self) {}

    /// Why events were lost that a person asked for, if some were; said once.
    fn take_fault(&mut self) -> Option<std::io::Error> {
        None
    }
}
