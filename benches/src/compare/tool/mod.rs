//! The compared build tools: how each gets the repository, is started, and is reset.

mod bazel;
mod ninja;
mod nix;
mod wake;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;
use crate::place::Place;
use crate::repository::{Package, Repository};
use crate::scenario::Scenario;

pub(crate) use bazel::Bazel;
pub(crate) use ninja::Ninja;
pub(crate) use nix::Nix;
pub(crate) use wake::{Root, Wake};

/// Checks that a tool to compare with is on this machine, before anything is made for it.
fn installed(program: &'static str, package: &'static str) -> Result<(), Fault> {
    if Path::new(program).exists() { Ok(()) } else { Err(Fault::Missing { program, package }) }
}

/// One build tool with a checkout of its own.
pub(crate) trait Tool {
    /// The name in the table.
    fn name(&self) -> &'static str;

    /// The directories of its checkout and of everything it keeps.
    fn place(&self) -> &Place;

    /// Writes its build files for the repository among the sources.
    fn describe(&self, repository: &Repository) -> Result<(), Fault>;

    /// The command that builds everything.
    fn build(&self) -> Command;

    /// A command with other arguments, for measurements of wake alone; `None` for other tools.
    fn command(&self, _words: &[&str]) -> Option<Command> {
        None
    }

    /// The number of actions that a build ran according to its output, or `None` if the output does not state it.
    fn ran(&self, output: &str) -> Option<usize>;

    /// The number of actions that it must run by its own rules, or `None` if that is not checked.
    fn expected(&self, scenario: Scenario, repository: &Repository) -> Option<usize>;

    /// Moves all its caches out of the way.
    fn forget(&self) -> Result<(), Fault>;

    /// Moves away what belongs to the checkout but is stored outside it.
    fn forget_checkout(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The path of a package's output after a build, or `None` if that is not checked.
    fn output(&self, package: &Package) -> Option<PathBuf>;

    /// The directory of its store, whose files are counted.
    fn store(&self) -> Option<&Path> {
        None
    }

    /// The server process that stays between builds, if there is one.
    fn server(&self) -> Option<u32> {
        None
    }

    /// Stops whatever runs between builds.
    fn finish(&self) {}
}

/// The number of actions to run if content decides and a change stops at equal outputs.
fn by_content(scenario: Scenario, repository: &Repository) -> usize {
    match scenario {
        Scenario::Cold => repository.packages.len(),
        Scenario::Noop | Scenario::Touched | Scenario::Checkout => 0,
        Scenario::Leaf => 1,
        Scenario::Deep => everything_above(repository),
        Scenario::CutOff => 1 + repository.width(),
    }
}

/// The number of actions to run if times decide.
fn by_time(scenario: Scenario, repository: &Repository) -> usize {
    match scenario {
        Scenario::Touched | Scenario::Deep | Scenario::CutOff => everything_above(repository),
        Scenario::Cold | Scenario::Checkout => repository.packages.len(),
        Scenario::Noop | Scenario::Leaf => by_content(scenario, repository),
    }
}

fn everything_above(repository: &Repository) -> usize {
    repository.packages.len() - repository.width() + 1
}
