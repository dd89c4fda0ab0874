//! The build tools that are compared: how each is told about the repository, started, and made to forget.

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

/// One build tool with a checkout of its own.
pub(crate) trait Tool {
    /// As the table calls it.
    fn name(&self) -> &'static str;

    /// Where its checkout and everything it keeps lie.
    fn place(&self) -> &Place;

    /// Writes its description of the repository among the sources.
    fn describe(&self, repository: &Repository) -> Result<(), Fault>;

    /// The command that builds everything.
    fn build(&self) -> Command;

    /// A command of its own; none where those that are measured only with wake are none of its own.
    fn command(&self, _words: &[&str]) -> Option<Command> {
        None
    }

    /// How many actions a build ran, as what it wrote says; none where it does not say.
    fn ran(&self, output: &str) -> Option<usize>;

    /// How many actions it has to run by its own rules; none where that is not checked.
    fn expected(&self, scenario: Scenario, repository: &Repository) -> Option<usize>;

    /// Moves everything it remembers out of the way.
    fn forget(&self) -> Result<(), Fault>;

    /// Moves away what belongs to the checkout but lies outside of it.
    fn forget_checkout(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Where the output of a package is found after a build; none where that is not checked.
    fn output(&self, package: &Package) -> Option<PathBuf>;

    /// Where its store lies, whose files are counted.
    fn store(&self) -> Option<&Path> {
        None
    }

    /// The process that stays between builds and does its work; none if there is no such thing.
    fn server(&self) -> Option<u32> {
        None
    }

    /// Lets go of what runs on between two builds.
    fn finish(&self) {}
}

/// What has to run if content decides, and a change stops where outputs come out equal.
fn by_content(scenario: Scenario, repository: &Repository) -> usize {
    match scenario {
        Scenario::Cold => repository.packages.len(),
        Scenario::Noop | Scenario::Touched | Scenario::Checkout => 0,
        Scenario::Leaf => 1,
        Scenario::Deep => everything_above(repository),
        Scenario::CutOff => 1 + repository.width(),
    }
}

/// What has to run if times decide.
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
