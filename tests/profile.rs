//! Where a build spent its time: `--profile FILE`, `wake log --critical-path`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;
use wake_tests::{Marker, Project, expect, project};

/// A profile as a viewer reads it.
struct Trace {
    events: Vec<Value>,
}

impl Trace {
    #[track_caller]
    fn read(path: &Path) -> Trace {
        let text = std::fs::read_to_string(path).unwrap();
        let trace: Value = serde_json::from_str(&text).unwrap();
        Trace { events: trace["traceEvents"].as_array().unwrap().clone() }
    }

    fn spans(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event["ph"] == "X")
    }

    fn names(&self, category: &str) -> Vec<&str> {
        let of = self.spans().filter(|span| span["cat"] == category);
        of.map(|span| span["name"].as_str().unwrap()).collect()
    }

    fn span(&self, name: &str) -> &Value {
        let found: Vec<_> = self.spans().filter(|span| span["name"] == name).collect();
        assert_eq!(found.len(), 1, "`{name}`: {found:?}");
        found[0]
    }

    /// The names of the spans inside `outer`, ordered by their start.
    fn inside(&self, outer: &Value) -> Vec<&str> {
        let mut inside: Vec<_> = self.spans().filter(|span| lies_in(span, outer)).collect();
        inside.sort_by_key(|span| edges(span).0);
        inside.iter().map(|span| span["name"].as_str().unwrap()).collect()
    }

    /// Checks that any two spans on a track are nested or disjoint.
    fn assert_nested(&self) {
        let mut tracks: BTreeMap<u64, Vec<(i64, i64)>> = BTreeMap::new();
        for span in self.spans() {
            tracks.entry(span["tid"].as_u64().unwrap()).or_default().push(edges(span));
        }
        for (track, mut spans) in tracks {
            // Of those that start together, the longest is the outermost.
            spans.sort_by_key(|(from, to)| (*from, -to));
            let mut open: Vec<i64> = Vec::new();
            for (from, to) in spans {
                open.retain(|end| *end > from);
                if let Some(end) = open.last() {
                    assert!(to <= *end, "track {track}: {from}..{to} ends after {end}");
                }
                open.push(to);
            }
        }
    }

    /// Checks that every span is on a named track.
    fn assert_named(&self) {
        let of_kind = |name: &str| {
            let told = self.events.iter().filter(move |event| event["name"] == name);
            told.map(|event| event["tid"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        let named = of_kind("thread_name");
        assert!(self.spans().all(|span| named.contains(&span["tid"].as_u64().unwrap())));
    }
}

/// Start and end in nanoseconds, as measured.
fn edges(span: &Value) -> (i64, i64) {
    let ns = |name: &str| (span[name].as_f64().unwrap() * 1000.0).round() as i64;
    (ns("ts"), ns("ts") + ns("dur"))
}

fn lies_in(span: &Value, outer: &Value) -> bool {
    let ((from, to), (begin, end)) = (edges(span), edges(outer));
    span != outer && span["tid"] == outer["tid"] && begin <= from && to <= end
}

/// `low`, and `high`, which reads the output of `low`.
fn two_steps() -> Project {
    let modules = "files=['./low.sh', './high.sh'], modules={ low: './low.libsonnet', high: './high.libsonnet' }";
    let low = "outputs=function(wake, pkg) { text: './out.txt' },\n    exec=wake.exec('./low.sh')";
    let high = "modules={ low: pkg.modules.low() },\n    outputs=function(wake, pkg) { text: './out.txt' },\n    exec=wake.exec('./high.sh')";
    project()
        .pkg(modules)
        .module("low.libsonnet", "low", low)
        .module("high.libsonnet", "high", high)
        .script("low.sh", "#!/bin/sh\necho low > out.txt\n")
        .script("high.sh", "#!/bin/sh\necho high > out.txt\n")
        .build()
}

#[test]
fn a_profile_has_every_step_with_its_phases_and_every_stage() {
    let project = two_steps();
    let path = project.base().join("trace.json");
    let build = project.json_build(&["--profile", path.to_str().unwrap()]).run().success().events();
    assert_eq!(build.ran(), ["//:high", "//:low"]);
    let trace = Trace::read(&path);
    trace.assert_nested();
    trace.assert_named();
    for label in ["//:low", "//:high"] {
        let step = trace.span(label);
        assert_eq!(step["args"]["status"], "ran");
        assert_eq!(step["args"]["outcome"], "exit 0");
        let inside = trace.inside(step);
        let phases: Vec<_> = inside
            .iter()
            .filter(|name| ["set-up", "queue", "run", "collect"].contains(name))
            .collect();
        assert_eq!(phases, [&"set-up", &"queue", &"run", &"collect"], "{inside:?}");
    }
    let planned = trace.inside(trace.span("build"));
    for stage in ["read state", "plan", "run steps", "link", "save"] {
        assert!(planned.contains(&stage), "{planned:?}");
    }
    let evaluations = trace.names("evaluation");
    // Once on the requesting thread, and once on the track of the process that did the work.
    assert_eq!(evaluations.iter().filter(|name| **name == "evaluate //").count(), 2);
    let hashed = trace.names("hashing");
    for file in ["hash PKG.libsonnet", "hash low.sh", "hash high.sh"] {
        assert!(hashed.contains(&file), "{hashed:?}");
    }
}

#[test]
fn an_up_to_date_build_only_checks_the_snapshot() {
    let project = two_steps();
    project.build(&[]);
    let path = project.base().join("trace.json");
    project.build(&["--profile", path.to_str().unwrap()]);
    let trace = Trace::read(&path);
    trace.assert_nested();
    let snapshot = trace.names("snapshot");
    let all = ["load snapshot", "verify snapshot", "find what changes reach", "verify results"];
    // Files younger than a tick of the clock are read once more, and that is recorded.
    assert_eq!(snapshot[..4], all);
    assert!(trace.names("step").is_empty() && trace.names("evaluation").is_empty());

    // Changes are hashed and rerun, and the snapshot is saved.
    project.write_script("high.sh", "#!/bin/sh\necho higher > out.txt\n");
    project.build(&["--profile", path.to_str().unwrap()]);
    let trace = Trace::read(&path);
    assert!(trace.names("hashing").contains(&"hash high.sh"));
    assert!(trace.names("snapshot").contains(&"save snapshot"));
    assert_eq!(trace.span("//:high")["args"]["status"], "ran");
}

#[test]
fn a_failed_build_has_a_profile() {
    let project = project().step("m", "exit 3").build();
    let path = project.base().join("trace.json");
    project.wake(["build", "--profile", path.to_str().unwrap()]).run().code(1);
    let trace = Trace::read(&path);
    assert_eq!(trace.span("//:m")["args"]["status"], "failed");
    assert_eq!(trace.span("//:m")["args"]["outcome"], "exit 3");

    project.write("PKG.libsonnet", "1 +");
    project.wake(["build", "--profile", path.to_str().unwrap()]).run().code(5);
    assert!(Trace::read(&path).names("evaluation").contains(&"evaluate //"));
}

#[test]
fn an_interrupted_build_has_a_profile() {
    let marker = Marker::default();
    let project = project().step("m", &format!("sleep {} & wait", marker.seconds)).build();
    let path = project.base().join("trace.json");
    let mut child = project.json_build(&["--profile", path.to_str().unwrap()]).spawn();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("action.started") {
        line.clear();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "the build ended before it started");
    }
    assert!(!path.exists(), "it is moved into place only once it is complete");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let trace = Trace::read(&path);
    trace.assert_nested();
    assert_eq!(trace.span("//:m")["args"]["status"], "aborted");
}

#[test]
fn run_writes_a_profile_relative_to_the_working_directory() {
    let script = "printf '#!/bin/sh\\nexit 7\\n' > out.txt; chmod +x out.txt";
    let project = project().step("m", script).file("sub/x", "").build();
    let run = ["-C", "sub", "run", "--profile", "trace.json", "//:m"];
    project.wake(run).run().code(7);
    assert_eq!(Trace::read(&project.path("sub/trace.json")).span("//:m")["args"]["status"], "ran");
    let left: Vec<_> = std::fs::read_dir(project.path("sub")).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn an_unwritable_file_is_reported_before_the_build() {
    let project = two_steps();
    project.wake(["build", "--profile", "no/such/dir.json"]).run().code(2).says(expect![[r#"
        error: cannot write `[ROOT]/no/such/dir.json`: No such file or directory (os error 2)
         help: choose another file for `--profile`; nothing was built
        [TIME] FAILED 1 error in [TIME]
    "#]]);
    project.wake(["build", "--profile", "."]).run().code(2).says(expect![[r#"
        error: `[ROOT]/.` is not a regular file
         help: choose another file for `--profile`; nothing was built
        [TIME] FAILED 1 error in [TIME]
    "#]]);
    assert!(!project.path(".wake").exists(), "something was built");
}

#[test]
fn the_critical_path_follows_dependencies() {
    let project = two_steps();
    project.build(&[]);
    let run = project.wake(["log", "--critical-path", "--json"]).run().success();
    let path: Value = serde_json::from_str(&run.stdout).unwrap();
    let steps = path["steps"].as_array().unwrap();
    let labels: Vec<_> = steps.iter().map(|step| step["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["//:low", "//:high"]);
    let ms = |value: &Value, name: &str| value[name].as_u64().unwrap();
    let links: u64 = steps.iter().map(|step| ms(step, "waited_ms") + ms(step, "took_ms")).sum();
    let whole = ms(&path, "before_ms") + links + ms(&path, "after_ms");
    assert_eq!(whole, ms(&path, "wall_ms"));

    // The last build is shown, unless another is named.
    project.build(&[]);
    let name = path["run"].as_str().unwrap();
    let last = project.wake(["log", "--critical-path"]).run().success();
    assert!(last.stdout.ends_with("; it ran no steps\n"), "{last}");
    let named = project.wake(["log", name, "--critical-path"]).run().success();
    assert!(named.stdout.contains("its critical path is 2 steps"), "{named}");
}

#[test]
fn the_log_of_a_run_is_the_stream_of_its_events() {
    let project = two_steps();
    let build = project.build(&[]);
    let runs = std::fs::read_dir(project.path(".wake/runs")).unwrap();
    let paths: Vec<_> = runs.map(|entry| entry.unwrap().path()).collect();
    let log = std::fs::read_to_string(&paths[0]).unwrap();
    let without_time = |event: &Value| {
        let mut event = event.clone();
        assert!(event["t"].is_f64() && event["run"].is_string(), "{event}");
        event.as_object_mut().unwrap().remove("t");
        event
    };
    let logged: Vec<Value> =
        log.lines().map(|line| without_time(&serde_json::from_str(line).unwrap())).collect();
    let told: Vec<Value> = build.events.iter().map(without_time).collect();
    assert_eq!(logged, told);
    let run = paths[0].file_stem().unwrap().to_str().unwrap();
    assert!(logged.iter().all(|event| event["run"] == run));
}
