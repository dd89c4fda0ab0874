//! The same edits during `wake build --watch`, which checks only paths with reported changes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdout, Command, Stdio};

use wake_tests::Project;

use crate::scene::{TARGETS, results_agree, settled};
use crate::sequences::{Choice, EDITS, Edit};

/// Changes to a checkout besides [`EDITS`].
const MORE: [Edit; 8] = [
    ("an editor that renames", |p, n| {
        p.write(".data.swp", "x");
        p.write("data~", p.read("data"));
        p.write(".data.new", format!("saved{n}\n"));
        fs::rename(p.path(".data.new"), p.path("data")).unwrap();
        fs::remove_file(p.path(".data.swp")).unwrap();
    }),
    ("an editor that moves away first", |p, n| {
        fs::rename(p.path("text"), p.path("text.bak")).unwrap();
        p.write("text", format!("moved{n}"));
    }),
    ("a directory that moves", |p, _| {
        if p.path("in/moved").exists() {
            fs::remove_dir_all(p.path("in/deep")).unwrap();
            fs::rename(p.path("in/moved"), p.path("in/deep")).unwrap();
        } else {
            fs::rename(p.path("in/deep"), p.path("in/moved")).unwrap();
            p.write("in/deep/b.txt", "back\n");
        }
    }),
    ("a directory that moves away and comes back changed", |p, n| {
        fs::rename(p.path("in"), p.path("gone")).unwrap();
        p.write("gone/a.txt", format!("changed{n}\n"));
        fs::rename(p.path("gone"), p.path("in")).unwrap();
    }),
    ("a tree made at once", |p, n| {
        let _ = fs::remove_dir_all(p.path("in/tree"));
        p.write(&format!("in/tree/of/{n}/x"), format!("{n}\n"));
    }),
    ("a link that replaces a directory", |p, n| {
        let _ = fs::remove_dir_all(p.path("in/tree"));
        let _ = fs::remove_file(p.path("in/linked"));
        symlink(["a.txt", "deep/b.txt", "z.txt", "a.txt"][n], p.path("in/linked")).unwrap();
        fs::remove_file(p.path("in/linked")).unwrap();
    }),
    ("the package file", |p, n| {
        let text = p.read("PKG.libsonnet");
        let code = text.split_once("function").unwrap().1.to_owned();
        p.write("PKG.libsonnet", format!("// {n}\nfunction{code}"));
    }),
    ("the workspace file", |p, n| p.write("wake.toml", format!("[workspace]\n# {n}\n"))),
];

/// A watching build and its events.
struct Watching {
    child: Child,
    events: BufReader<ChildStdout>,
    seen: String,
}

impl Watching {
    fn start(project: &Project, args: &[&str]) -> Watching {
        let call = project.wake(["--message-format", "json", "build", "--watch"]);
        let mut command = call.args(args).args(TARGETS).command();
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Watching { child, events, seen: String::new() }
    }

    /// Reads events until a build has finished after which `is_done`.
    #[track_caller]
    fn until(&mut self, what: &str, is_done: impl Fn() -> bool) {
        let mut is_raced = false;
        loop {
            let mut line = String::new();
            assert!(self.events.read_line(&mut line).unwrap() > 0, "it ended: {}", self.seen);
            self.seen.push_str(&line);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            let why = event["why"].as_str().unwrap_or_default();
            is_raced |= why.ends_with("changed while it was in use");
            if event["kind"] != "finished" {
                continue;
            }
            let exit = event["exit"].as_u64().unwrap();
            // A build that became stale is restarted; one that reads a file being edited, which polling notices
            // only later, fails and is followed by another one.
            let is_expected = [0, 130].contains(&exit) || (exit == 1 && is_raced);
            assert!(is_expected, "{what}: {}", self.seen);
            is_raced = false;
            if exit == 0 && is_done() {
                return;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn sequence(seed: u64, args: &[&str]) {
    let project = settled();
    let mut watching = Watching::start(&project, args);
    watching.until("the first build", || true);
    // Removing results is not a change of the checkout.
    let unseen = ["a result link", "the state", "another request"];
    let mut edits = EDITS.to_vec();
    edits.retain(|(name, _)| !unseen.contains(name));
    edits.extend(MORE);
    let mut choice = Choice(seed);
    let mut done = Vec::new();
    for round in 0..25 {
        for _ in 0..=choice.below(3) {
            let ((name, edit), number) = (edits[choice.below(edits.len())], choice.below(4));
            edit(&project, number);
            done.push(format!("{name} {number}"));
            match choice.below(6) {
                0 => {
                    project.json_build(TARGETS).run();
                    done.push("a build beside it".to_owned());
                }
                1 => std::thread::sleep(std::time::Duration::from_millis(60)),
                _ => {}
            }
        }
        // The last change is noticed last.
        let token = format!("token{round}");
        project.write("lib/base", format!("{token}\nb\n"));
        let what = format!("seed {seed}: {}", done.join(", "));
        watching.until(&what, || {
            let made = fs::read_to_string(project.result("//lib:made", "out.txt"));
            made.is_ok_and(|made| made.contains(&token))
        });
        results_agree(&project, &what);
    }
}

#[test]
fn a_first_sequence_of_edits() {
    sequence(11, &[]);
}

#[test]
fn a_second_sequence_of_edits() {
    sequence(12, &[]);
}

#[test]
fn a_sequence_of_edits_with_polling() {
    sequence(13, &["--poll", "1"]);
}

#[test]
fn removed_results_are_restored_when_idle() {
    let project = settled();
    let mut watching = Watching::start(&project, &[]);
    watching.until("the first build", || true);
    project.write("data", "two\n");
    watching.until("an edit", || true);
    let link = project.path(".wake/out/list");
    let before = fs::read_link(&link).unwrap();
    fs::remove_file(&link).unwrap();
    // It becomes idle once after each edit.
    for number in 0.. {
        project.write("data", format!("again{number}\n"));
        std::thread::sleep(std::time::Duration::from_secs(5));
        if fs::read_link(&link).ok() == Some(before.clone()) {
            break;
        }
    }
    results_agree(&project, "a link that was removed");
}
