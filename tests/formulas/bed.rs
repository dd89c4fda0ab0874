//! A workspace with a root file system that formulas run in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use wake_tests::{Expect, Finished, Project, project, skip};

const BUSYBOX: &str = "/bin/busybox";

/// A workspace with a root file system packed into `warehouse`; `None` without busybox.
pub(crate) struct Bed {
    pub(crate) project: Project,
    pub(crate) root: String,
}

impl Bed {
    pub(crate) fn new(test: &str) -> Option<Bed> {
        if !Path::new(BUSYBOX).is_file() {
            skip(test, "needs `/bin/busybox` (Debian package busybox-static)");
            return None;
        }
        let project = project().build();
        let bin = project.path("root/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(project.path("warehouse")).unwrap();
        fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
        for name in ["sh", "mkdir", "cat", "echo", "id", "kill", "sleep", "ls", "wget"] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        symlink("bin", project.path("root/tools")).unwrap();
        let packed = project
            .wake(["ware", "pack", "tar", "root", "--target", "ca+file://./warehouse"])
            .args(["--filters", "uid=0,gid=0"])
            .run()
            .success();
        let root = packed.stdout.trim().to_owned();
        Some(Bed { project, root })
    }

    /// A formula that runs `script` in the root file system, modified by `change`.
    pub(crate) fn formula(&self, script: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut document = json!({
            "formula": {
                "inputs": {"/": self.root},
                "action": {"exec": ["/bin/sh", "-c", script]},
                "outputs": {"/task/out": {"packtype": "tar"}},
            },
            "context": {"fetchUrls": {"/": ["ca+file://./warehouse"]}},
        });
        change(&mut document);
        document
    }

    pub(crate) fn run(&self, document: &Value, more: &[&str]) -> Finished {
        self.project.write("f.json", document.to_string());
        self.project.wake(["formula", "run", "f.json"]).args(more).run()
    }

    /// Runs an invalid formula, and compares the complete output.
    #[track_caller]
    pub(crate) fn refuses(&self, document: &Value, code: i32, expected: Expect) {
        let finished = self.run(document, &[]).code(code);
        assert_eq!(finished.stdout, "", "there is no record");
        finished.says(expected);
    }
}

pub(crate) fn record(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap()
}

pub(crate) fn unchanged(_: &mut Value) {}
