//! Nix with its sandbox and a store of its own.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Tool, installed};
use crate::fault::{At, Fault};
use crate::place::Place;
use crate::repository::{Package, Repository};
use crate::scenario::Scenario;

/// Its program for builds.
const PROGRAM: &str = "/usr/bin/nix-build";

/// Nix from Debian's `nix-bin`.
pub(crate) struct Nix {
    place: Place,
    store: PathBuf,
    jobs: usize,
}

impl Nix {
    pub(crate) fn new(place: Place, jobs: usize) -> Result<Self, Fault> {
        installed(PROGRAM, "nix-bin")?;
        let store = place.store();
        Ok(Nix { place, store, jobs })
    }
}

impl Tool for Nix {
    fn name(&self) -> &'static str {
        "nix"
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn describe(&self, repository: &Repository) -> Result<(), Fault> {
        let mut all = String::from("let combine = ./tool/combine;\nin rec {\n");
        for package in &repository.packages {
            let needs: Vec<String> = package
                .dependencies
                .iter()
                .map(|number| repository.packages[*number].name())
                .collect();
            let _ = writeln!(
                all,
                "  {} = import ./{} {{ inherit combine; needs = [ {} ]; }};",
                package.name(),
                package.path(),
                needs.join(" ")
            );
            let path = self.place.checkout().join(package.path()).join("default.nix");
            fs::write(&path, package_file(repository, package)).at(&path)?;
        }
        all.push_str("}\n");
        let path = self.place.checkout().join("default.nix");
        fs::write(&path, all).at(&path)
    }

    fn build(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.place.checkout());
        command.args(["--no-out-link", "--max-jobs", &self.jobs.to_string()]);
        command.args(["--option", "sandbox", "true", "--option", "build-users-group", ""]);
        command.args(["--option", "substitute", "false"]);
        for (name, dir) in [
            ("NIX_STORE_DIR", "store"),
            ("NIX_STATE_DIR", "state"),
            ("NIX_LOG_DIR", "log"),
            ("NIX_CONF_DIR", "conf"),
        ] {
            command.env(name, self.store.join(dir));
        }
        command.env("NIX_REMOTE", "local");
        command
    }

    fn ran(&self, output: &str) -> Option<usize> {
        Some(output.lines().filter(|line| line.starts_with("building '")).count())
    }

    fn expected(&self, _scenario: Scenario, _repository: &Repository) -> Option<usize> {
        None
    }

    fn forget(&self) -> Result<(), Fault> {
        self.place.throw_away(&self.store)
    }

    fn output(&self, _package: &Package) -> Option<PathBuf> {
        None
    }
}

fn package_file(repository: &Repository, package: &Package) -> String {
    let files: Vec<String> = repository.file_names().map(|name| format!("./{name}")).collect();
    format!(
        "\
{{ combine, needs }}:
derivation {{
  name = \"{}\";
  system = builtins.currentSystem;
  builder = combine;
  args = [ (placeholder \"out\") {} \"--\" ] ++ needs;
}}
",
        package.name(),
        files.join(" ")
    )
}
