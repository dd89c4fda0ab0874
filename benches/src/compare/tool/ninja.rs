//! ninja: no sandbox, no store; times decide.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Tool, by_time, installed};
use crate::fault::{At, Fault};
use crate::place::Place;
use crate::repository::{LARGE, Package, Repository};
use crate::scenario::Scenario;

/// Its program.
const PROGRAM: &str = "/usr/bin/ninja";

/// ninja from Debian's `ninja-build`.
pub(crate) struct Ninja {
    place: Place,
    jobs: usize,
}

impl Ninja {
    pub(crate) fn new(place: Place, jobs: usize) -> Result<Self, Fault> {
        installed(PROGRAM, "ninja-build")?;
        Ok(Ninja { place, jobs })
    }
}

impl Tool for Ninja {
    fn name(&self) -> &'static str {
        "ninja"
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn describe(&self, repository: &Repository) -> Result<(), Fault> {
        // Each input is listed once, because ninja reads the whole file in every build.
        let mut text = String::from("rule combine\n  command = tool/combine $out $in\n");
        for package in &repository.packages {
            let dir = package.path();
            let large = repository.has_large(package).then(|| format!("{dir}/{LARGE}"));
            let names = repository.file_names().map(|name| format!("{dir}/{name}"));
            // Sorted, as in wake.
            let own: Vec<String> = large.into_iter().chain(names).collect();
            let needs: Vec<String> = package
                .dependencies
                .iter()
                .map(|number| format!("out/{}/out", repository.packages[*number].path()))
                .collect();
            let (own, needs) = (own.join(" "), needs.join(" "));
            let _ = writeln!(text, "build out/{dir}/out: combine {own} {needs} | tool/combine");
        }
        let path = self.place.checkout().join("build.ninja");
        fs::write(&path, text).at(&path)
    }

    fn build(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.place.checkout()).args(["-j", &self.jobs.to_string()]);
        command
    }

    fn ran(&self, output: &str) -> Option<usize> {
        if output.contains("no work to do") {
            return Some(0);
        }
        // `[17/901] tool/combine ...`
        let line = output.lines().rev().find(|line| line.starts_with('['))?;
        line[1..].split(['/', ']']).next()?.parse().ok()
    }

    fn expected(&self, scenario: Scenario, repository: &Repository) -> Option<usize> {
        Some(by_time(scenario, repository))
    }

    fn forget(&self) -> Result<(), Fault> {
        for name in ["out", ".ninja_log", ".ninja_deps"] {
            self.place.throw_away(&self.place.checkout().join(name))?;
        }
        Ok(())
    }

    fn output(&self, package: &Package) -> Option<PathBuf> {
        Some(self.place.checkout().join("out").join(package.path()).join("out"))
    }
}
