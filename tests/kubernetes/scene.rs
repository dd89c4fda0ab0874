//! A project whose jobs run in a cluster.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use wake_tests::{Finished, Project, Wake, binary, project};

/// An image digest, so that no registry is asked for one.
pub(crate) const DIGEST: &str =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The settings for a cluster whose claim holds the store.
pub(crate) const SITE: &str = "[kubernetes]\nimage = \"registry.example.org/wake@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\nclaim = \"wake\"\n";

/// A project with a cluster.
pub(crate) struct Scene {
    pub(crate) project: Project,
}

/// Whether the cluster runs jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// It does.
    Jobs,
    /// It does not; the test sets their state.
    Nothing,
}

/// A run of a shell script with these buffers.
pub(crate) fn run(buffers: &str, script: &str, rest: &str) -> String {
    let script: String = script.lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "job:\n  codespec:\n    image: registry.example.org/some@{DIGEST}\n    buffers: {buffers}\n    command:\n      - sh\n      - -ec\n      - |\n{script}{rest}"
    )
}

impl Scene {
    /// Creates both, with a run in `run.yml`.
    pub(crate) fn new(run: &str, runs: Runs) -> Scene {
        Scene::with(project().file("run.yml", run).build(), runs)
    }

    /// Creates a cluster for this project.
    pub(crate) fn with(project: Project, runs: Runs) -> Scene {
        project.write_script("../bin/kubectl", include_str!("kubectl.py"));
        let scene = Scene { project };
        scene.set(SITE);
        scene.put("cluster/store", scene.project.store().to_str().unwrap());
        scene.put("cluster/wake", binary().to_str().unwrap());
        if runs == Runs::Jobs {
            scene.put("cluster/runs", "");
        }
        scene
    }

    fn put(&self, path: &str, text: &str) {
        self.project.write(&format!("../{path}"), text);
    }

    /// A file of the cluster.
    pub(crate) fn place(&self, path: &str) -> PathBuf {
        self.project.base().join("cluster").join(path)
    }

    /// `wake job` with `kubectl` on the search path.
    pub(crate) fn job(&self, args: &[&str]) -> Wake {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.project.base().join("bin").display());
        self.project.wake(["job"].iter().chain(args)).env("PATH", path)
    }

    /// `wake job VERB --engine kubernetes -f run.yml`.
    pub(crate) fn in_cluster(&self, verb: &str, args: &[&str]) -> Wake {
        let begin = [verb, "--engine", "kubernetes", "-f", "run.yml"];
        self.job(&[&begin, args].concat())
    }

    /// Writes the user's settings.
    pub(crate) fn set(&self, settings: &str) {
        self.put("home/.config/wake/config.toml", settings);
    }

    /// Sets whether the cluster responds.
    pub(crate) fn answers(&self, does: bool) {
        match does {
            true => fs::remove_file(self.place("away")).unwrap(),
            false => self.put("cluster/away", ""),
        }
    }

    /// Makes the cluster refuse to create objects, in these words.
    pub(crate) fn refuses(&self, words: &str) {
        self.put("cluster/refuses", words);
    }

    /// Sets the cluster's warning events.
    pub(crate) fn warns(&self, events: &Value) {
        self.put("cluster/events.json", &events.to_string());
    }

    /// Creates a job with `wake job create`, and returns its number.
    #[track_caller]
    pub(crate) fn create(&self, args: &[&str]) -> String {
        self.in_cluster("create", args).run().code(0).stdout.trim_end().to_owned()
    }

    /// The name of a job's objects.
    #[track_caller]
    pub(crate) fn name(&self, id: &str) -> String {
        let sent = self.project.store().join(format!("job/{id}/sent.json"));
        let sent: Value = serde_json::from_slice(&fs::read(sent).unwrap()).unwrap();
        let place = sent["id"].as_str().unwrap();
        let place = place.split('@').next().unwrap();
        place.rsplit('/').next().unwrap().to_owned()
    }

    /// Sets the cluster's answer about a job.
    pub(crate) fn says(&self, id: &str, answer: &Value) {
        let name = self.name(id);
        // Renamed into place, because others read it.
        self.put("cluster/said/new", &answer.to_string());
        let said = |name: &str| self.place("said").join(name);
        fs::rename(said("new"), said(&format!("{name}.json"))).unwrap();
    }

    /// The objects of a job that are left in the cluster.
    pub(crate) fn objects(&self, name: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.place("objects")) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|file| file.contains(name)).collect()
    }

    /// Waits until no objects of a job are left, and no process attends to it.
    #[track_caller]
    pub(crate) fn until_nothing_is_left(&self, id: &str) {
        let name = self.name(id);
        until("nothing is left", || match (self.objects(&name), self.attending(id)) {
            (objects, None) if objects.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        });
    }

    /// The arguments of all calls of `kubectl`.
    pub(crate) fn calls(&self) -> String {
        fs::read_to_string(self.place("calls")).unwrap_or_default()
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

    /// Waits until a job has this status and reason, and returns its record.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, status: &str, reason: Option<&str>) -> Value {
        let is_so = |job: &Value| job["status"] == status && job["statusReason"].as_str() == reason;
        until(&format!("job {id} is {status}: {reason:?}"), || {
            let job = self.show(id);
            match is_so(&job) {
                true => Ok(job),
                false => Err(format!("{}: {}", job["status"], job["statusReason"])),
            }
        })
    }

    /// Kills the process that attends to a job.
    #[track_caller]
    pub(crate) fn kill_attending(&self, id: &str) {
        let number = until("a process attends to it", || self.attending(id).ok_or(String::new()));
        assert!(Command::new("kill").args(["-9", &number.to_string()]).status().unwrap().success());
        until("it is gone", || match self.attending(id) {
            None => Ok(()),
            Some(_) => Err(String::new()),
        });
    }

    /// The process that attends to a job of this project.
    pub(crate) fn attending(&self, id: &str) -> Option<u32> {
        let store = self.project.store();
        let words = ["--store", store.to_str()?, "job", "attend", id];
        let wanted: Vec<u8> =
            words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        let numbers = fs::read_dir("/proc").unwrap().flatten();
        let mut numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.find(|number: &u32| {
            fs::read(format!("/proc/{number}/cmdline")).is_ok_and(|line| line.ends_with(&wanted))
        })
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Ends the attending processes, and the processes of pods.
        let Ok(jobs) = fs::read_dir(self.project.store().join("job")) else { return };
        for id in jobs.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some(number) = self.attending(&id) {
                let _ = Command::new("kill").args(["-9", &number.to_string()]).status();
            }
        }
        let Ok(runners) = fs::read_dir(self.place("runners")) else { return };
        for runner in runners.flatten() {
            let group = format!("-{}", fs::read_to_string(runner.path()).unwrap_or_default());
            let _ = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
        }
    }
}

/// Waits until `look` succeeds, with a limit that is generous enough for a loaded machine.
#[track_caller]
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(found) => {
                assert!(begun.elapsed() < Duration::from_secs(60), "not yet: {what}, but {found}");
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Creates a buffer, and writes these bytes to it, if any.
pub(crate) fn buffer(project: &Project, bytes: Option<&[u8]>) -> String {
    let id = project.wake(["buffer", "create"]).run().code(0).stdout.trim_end().to_owned();
    if let Some(bytes) = bytes {
        project.write("source", bytes);
        project.wake(["buffer", "write", &id, "-i", "source"]).run().code(0);
    }
    id
}

/// The state of a job's output.
#[track_caller]
pub(crate) fn output(project: &Project, job: &Value) -> Value {
    let id = job["job"]["buffers"]["output"].as_str().unwrap();
    json(&project.wake(["buffer", "show", id]).run().code(0))
}

#[track_caller]
pub(crate) fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}
