//! A project whose jobs run on a Slurm cluster.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;
use wake_tests::{Finished, Project, Wake, project};

use crate::cluster::Cluster;

/// A cluster, and a project that submits to it.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    pub(crate) project: Project,
}

/// One input and one output.
pub(crate) const ONE_EACH: &str = "{inputs: [input], outputs: [output]}";

/// A run of a shell script; `rest` is appended to the document.
pub(crate) fn run(buffers: &str, script: &str, rest: &str) -> String {
    let script: String = script.lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "job:\n  codespec:\n    image: registry.example.org/none\n    buffers: {buffers}\n    command:\n      - sh\n      - -ec\n      - |\n{script}{rest}"
    )
}

impl Scene {
    /// Creates both, with a run in `run.yml`; none if Slurm is not installed.
    pub(crate) fn new(test: &str, run: &str) -> Option<Scene> {
        let cluster = Cluster::start(test)?;
        let project = project().file("run.yml", run).build();
        Some(Scene { cluster, project })
    }

    /// `wake job` with the configuration of the cluster.
    pub(crate) fn job(&self, args: &[&str]) -> Wake {
        self.project.wake(["job"].iter().chain(args)).env("SLURM_CONF", self.cluster.conf())
    }

    /// `wake job VERB --engine slurm --rootfs host -f run.yml`.
    pub(crate) fn on_slurm(&self, verb: &str, args: &[&str]) -> Wake {
        let begin = [verb, "--engine", "slurm", "--rootfs", "host", "-f", "run.yml"];
        self.job(&[&begin, args].concat())
    }

    /// Writes the user's settings.
    pub(crate) fn set(&self, settings: &str) {
        self.project.write("../home/.config/wake/config.toml", settings);
    }

    /// The record of a job.
    #[track_caller]
    pub(crate) fn show(&self, id: &str) -> Value {
        json(&self.job(&["show", id]).run().code(0))
    }

    /// The record of the latest job.
    #[track_caller]
    pub(crate) fn last(&self) -> Value {
        json(&self.job(&["list", "-l", "1"]).run().code(0))[0].clone()
    }

    /// Waits until a job has this status, and returns its record.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, status: &str) -> Value {
        self.cluster.until(&format!("job {id} is {status}"), || self.show(id)["status"] == status);
        self.show(id)
    }

    /// Creates a job with `wake job create`, and returns its number.
    #[track_caller]
    pub(crate) fn create(&self, args: &[&str]) -> String {
        self.on_slurm("create", args).run().code(0).stdout.trim_end().to_owned()
    }

    /// The number of job processes that are left on nodes.
    pub(crate) fn left(&self) -> usize {
        self.cluster.processes("perform").len()
    }
}

/// Creates a buffer with these bytes.
pub(crate) fn buffer(project: &Project, bytes: &[u8]) -> String {
    let id = project.wake(["buffer", "create"]).run().code(0).stdout.trim_end().to_owned();
    project.write("source", bytes);
    project.wake(["buffer", "write", &id, "-i", "source"]).run().code(0);
    id
}

/// The state of a job's output.
#[track_caller]
pub(crate) fn output(project: &Project, job: &Value) -> Value {
    let id = job["job"]["buffers"]["output"].as_str().unwrap();
    json(&project.wake(["buffer", "show", id]).run().code(0))
}

/// Runs a command with this standard input.
pub(crate) fn fed(wake: &Wake, input: &[u8]) -> Finished {
    let mut child = wake.command().stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A job may leave its input unread.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    wake.finished(output)
}

#[track_caller]
pub(crate) fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}
