//! Bazel with its sandbox and a disk cache; its server keeps running, with its code compiled, even before a cold build.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Tool, by_content, installed};
use crate::fault::{At, Fault};
use crate::measure;
use crate::place::Place;
use crate::repository::{Package, Repository};
use crate::scenario::Scenario;

/// A file system in memory.
const MEMORY: &str = "/dev/shm";

/// Its program.
const PROGRAM: &str = "/usr/bin/bazel";

/// Bazel from Debian's `bazel-bootstrap`.
pub(crate) struct Bazel {
    place: Place,
    store: PathBuf,
    jobs: usize,
    /// The directory for its sandboxes, if there is a file system in memory; Bazel does not remove them itself.
    sandboxes: Option<PathBuf>,
}

impl Bazel {
    pub(crate) fn new(place: Place, jobs: usize) -> Result<Self, Fault> {
        installed(PROGRAM, "bazel-bootstrap")?;
        let store = place.store();
        let sandboxes = Path::new(MEMORY)
            .is_dir()
            .then(|| Path::new(MEMORY).join(format!("wake-compare-{}", std::process::id())));
        if let Some(dir) = &sandboxes {
            fs::create_dir_all(dir).at(dir)?;
        }
        Ok(Bazel { place, store, jobs, sandboxes })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.place.checkout());
        command.arg(format!("--output_user_root={}", self.store.join("user").display()));
        command.arg(format!("--output_base={}", self.base().display()));
        command
    }

    /// What it keeps for the checkout: outputs, its action cache, its server.
    fn base(&self) -> PathBuf {
        self.store.join("base")
    }

    /// The results of actions by key, for all checkouts.
    fn disk_cache(&self) -> PathBuf {
        self.store.join("disk")
    }
}

impl Tool for Bazel {
    fn name(&self) -> &'static str {
        "bazel"
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn describe(&self, repository: &Repository) -> Result<(), Fault> {
        let checkout = self.place.checkout();
        write(&checkout, "WORKSPACE", "")?;
        write(
            &checkout,
            "tool/BUILD",
            "exports_files([\"combine\"], visibility = [\"//visibility:public\"])\n",
        )?;
        write(&checkout, "tool/combine.bzl", RULE)?;
        for package in &repository.packages {
            let mut text = String::from(
                "load(\"//tool:combine.bzl\", \"combine\")\n\ncombine(\n    name = \"out\",\n",
            );
            text.push_str("    srcs = glob([\"src/*.txt\"]),\n    deps = [\n");
            for number in &package.dependencies {
                let _ =
                    writeln!(text, "        \"//{}:out\",", repository.packages[*number].path());
            }
            text.push_str("    ],\n    visibility = [\"//visibility:public\"],\n)\n");
            write(&checkout.join(package.path()), "BUILD", &text)?;
        }
        Ok(())
    }

    fn build(&self) -> Command {
        let mut command = self.command();
        command.args(["build", "--spawn_strategy=linux-sandbox", "--color=no", "--curses=no"]);
        command.arg(format!("--jobs={}", self.jobs));
        command.arg(format!("--disk_cache={}", self.disk_cache().display()));
        // Sandboxes cost least in memory, where removing them does not slow the file system down for the next tool.
        if let Some(dir) = &self.sandboxes {
            command.arg(format!("--sandbox_base={}", dir.display()));
        }
        command.arg("//...");
        command
    }

    fn ran(&self, output: &str) -> Option<usize> {
        // `INFO: 902 processes: 1 internal, 901 linux-sandbox.`
        let line = output.lines().rev().find(|line| line.contains(" process"))?;
        let Some(before) = line.split("linux-sandbox").next().filter(|part| *part != line) else {
            return Some(0);
        };
        before.split_whitespace().next_back()?.parse().ok()
    }

    fn expected(&self, scenario: Scenario, repository: &Repository) -> Option<usize> {
        Some(by_content(scenario, repository))
    }

    fn forget(&self) -> Result<(), Fault> {
        self.forget_checkout()?;
        self.place.throw_away(&self.disk_cache())
    }

    fn forget_checkout(&self) -> Result<(), Fault> {
        // Moved away first, so that `clean` does not delete it; see `Place`.
        self.place.throw_away(&self.base().join("execroot"))?;
        let mut clean = self.command();
        clean.arg("clean");
        measure::run(&mut clean, &self.place.log()).map(drop)
    }

    fn output(&self, package: &Package) -> Option<PathBuf> {
        Some(self.place.checkout().join("bazel-bin").join(package.path()).join("out.txt"))
    }

    fn server(&self) -> Option<u32> {
        let text = fs::read_to_string(self.base().join("server/server.pid.txt")).ok()?;
        text.trim().parse().ok()
    }

    fn finish(&self) {
        // Without a server there is nothing to shut down, so errors do not matter.
        let _ = self.command().arg("shutdown").output();
    }
}

impl Drop for Bazel {
    fn drop(&mut self) {
        if let Some(dir) = &self.sandboxes {
            // A failed removal only loses memory until the next reboot, which is no reason to lose the table.
            let _ = fs::remove_dir_all(dir);
        }
    }
}

const RULE: &str = r#"def _combine(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".txt")
    arguments = ctx.actions.args()
    arguments.add(out)
    arguments.add_all(ctx.files.srcs)
    arguments.add("--")
    arguments.add_all(ctx.files.deps)
    ctx.actions.run(
        executable = ctx.executable._combine,
        inputs = ctx.files.srcs + ctx.files.deps,
        outputs = [out],
        arguments = [arguments],
    )
    return [DefaultInfo(files = depset([out]))]

combine = rule(
    implementation = _combine,
    attrs = {
        "srcs": attr.label_list(allow_files = True),
        "deps": attr.label_list(),
        "_combine": attr.label(
            default = "//tool:combine",
            executable = True,
            allow_single_file = True,
            cfg = "host",
        ),
    },
)
"#;

fn write(dir: &Path, name: &str, text: &str) -> Result<(), Fault> {
    let path = dir.join(name);
    fs::write(&path, text).at(&path)
}
