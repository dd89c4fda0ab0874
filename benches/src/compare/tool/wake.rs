//! wake, with its sandbox on.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Tool, by_content};
use crate::fault::{At, Fault};
use crate::place::Place;
use crate::repository::{LARGE, Package, Repository};
use crate::scenario::Scenario;

/// What a command sees besides its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Root {
    /// Nothing
    Empty,
    /// The machine's system directories
    Host,
}

/// wake from `program`.
pub(crate) struct Wake {
    name: &'static str,
    program: PathBuf,
    place: Place,
    store: PathBuf,
    root: Root,
    jobs: usize,
}

impl Wake {
    pub(crate) fn new(program: PathBuf, place: Place, root: Root, jobs: usize) -> Self {
        let store = place.store();
        Wake { name: "wake", program, place, store, root, jobs }
    }

    fn own_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.place.checkout()).arg("--store").arg(&self.store);
        command.args(["--jobs", &self.jobs.to_string()]);
        command
    }

    /// The same tool under another name in the table.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Wake { name, ..self }
    }
}

impl Tool for Wake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn describe(&self, repository: &Repository) -> Result<(), Fault> {
        let checkout = self.place.checkout();
        write(&checkout, "wake.toml", "[workspace]\n")?;
        write(&checkout, "tool/PKG.libsonnet", TOOL)?;
        for package in &repository.packages {
            let dir = checkout.join(package.path());
            write(&dir, "PKG.libsonnet", &pkg_file(repository, package))?;
            write(&dir, "out.libsonnet", &module_file(repository, package, self.root))?;
        }
        Ok(())
    }

    fn build(&self) -> Command {
        let mut command = self.own_command();
        command.args(["build", "//..."]);
        command
    }

    fn command(&self, words: &[&str]) -> Option<Command> {
        let mut command = self.own_command();
        command.args(words);
        Some(command)
    }

    fn ran(&self, output: &str) -> Option<usize> {
        let line =
            output.lines().rev().find(|line| line.contains(" in ") && line.contains("action"))?;
        if line.contains("all cached") {
            return Some(0);
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        // `1000 actions (999 hit, 1 ran) in 0.1s`, or, where everything ran, `1000 actions in 1s`.
        let ran = words.iter().position(|word| *word == "ran)");
        let at = ran.or_else(|| words.iter().position(|word| word.starts_with("action")))?;
        words.get(at.checked_sub(1)?)?.replace(',', "").parse().ok()
    }

    fn expected(&self, scenario: Scenario, repository: &Repository) -> Option<usize> {
        Some(by_content(scenario, repository))
    }

    fn forget(&self) -> Result<(), Fault> {
        self.place.throw_away(&self.store)?;
        self.place.throw_away(&self.place.checkout().join(".wake"))
    }

    fn output(&self, package: &Package) -> Option<PathBuf> {
        Some(self.place.checkout().join(".wake/out").join(package.path()).join("out/out"))
    }

    fn store(&self) -> Option<&Path> {
        Some(&self.store)
    }
}

const TOOL: &str = "\
function(wake) wake.pkg(wake.pkgInfo('tool', '1.0.0'), files=['./combine'])
";

fn pkg_file(repository: &Repository, package: &Package) -> String {
    let mut pkgs = String::new();
    for dependency in &package.dependencies {
        let dependency = &repository.packages[*dependency];
        let (name, path) = (dependency.name(), dependency.path());
        let _ = writeln!(
            pkgs,
            "      '{name}': wake.getPkg(wake.pkgInfo('{name}', '^1'), from='../../{path}'),"
        );
    }
    let name = package.name();
    let large =
        if repository.has_large(package) { format!(" + ['./{LARGE}']") } else { String::new() };
    format!(
        "\
// One of many packages.
function(wake)
  wake.pkg(
    wake.pkgInfo('{name}', '1.0.0'),
    files=wake.dir('src'){large},
    pkgs={{
      tool: wake.getPkg(wake.pkgInfo('tool', '^1'), from='../../tool'),
{pkgs}    }},
    modules={{ out: './out.libsonnet' }},
  )
"
    )
}

fn module_file(repository: &Repository, package: &Package, root: Root) -> String {
    let names: Vec<String> = package
        .dependencies
        .iter()
        .map(|dependency| format!("'{}'", repository.packages[*dependency].name()))
        .collect();
    let rootfs = match root {
        Root::Empty => "\n      rootfs=wake.EMPTY,",
        Root::Host => "",
    };
    format!(
        "\
local dependencies = [{}];

function(wake, pkg)
  wake.module(
    name='out',
    modules={{ [key]: pkg.pkgs[key].modules.out() for key in dependencies }},
    outputs=function(wake, pkg) {{ out: './out' }},
    exec=wake.exec(
      'pkg.tool./combine',
      args=['./out'] + pkg.files + ['--']
           + [wake.ref(['modules', key, 'output', 'out']) for key in dependencies],{rootfs}
    ),
  )
",
        names.join(", ")
    )
}

fn write(dir: &Path, name: &str, text: &str) -> Result<(), Fault> {
    let path = dir.join(name);
    fs::write(&path, text).at(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_reports_what_ran() {
        let place = Place::new(&std::env::temp_dir(), "wake-benches-test", Path::new("combine"));
        let wake = Wake::new("wake".into(), place.expect("a place"), Root::Empty, 2);
        for (line, ran) in [
            ("    Finished 1000 actions in 1.2s", Some(1000)),
            ("    Finished 1,000 actions (999 hit, 1 ran) in 0.12s", Some(1)),
            ("    Finished 10 actions, all cached, in 0.01s (saved ~3s)", Some(0)),
            ("nothing", None),
        ] {
            assert_eq!(wake.ran(line), ran, "{line}");
        }
    }
}
