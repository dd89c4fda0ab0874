//! Asset registries: adding, finding, renaming and removing assets, also concurrently, and how refgenie reads them.

#![allow(clippy::unwrap_used)]

mod archives;
mod commands;
#[path = "../registries/containers.rs"]
#[expect(dead_code, reason = "these tests ask the registry less than those of packages do")]
mod containers;
mod golden;
mod hostile;
mod disks;
mod elsewhere;
mod reference;
mod refgenie;
mod served;
#[path = "../registries/server.rs"]
#[expect(dead_code, reason = "these tests ask the server less than those of packages do")]
mod server;
mod together;

use std::path::PathBuf;

use wake_tests::{Finished, Project, Wake, project};

/// The genome digest of [`FASTA`], computed by refgenie.
pub(crate) const DIGEST: &str = "4e88f10ceb549493a658a41991ffa249af078781d28aa9e2";

pub(crate) const FASTA: &str = ">chr1\nACGTACGTAA\nACG\n>chr2 desc\nTTTT\n";

/// A project with a registry, `g/genome_config.yaml`, that has a genome `tiny`.
pub(crate) fn lab() -> Project {
    let project = project().file("t.fa", FASTA).build();
    let made = wake(&project, &["genome", "init", "t.fa", "--alias", "tiny"]).run().success();
    assert_eq!(made.stdout, format!("{DIGEST}\n"));
    project
}

/// A command on the project's registry.
pub(crate) fn wake(project: &Project, args: &[&str]) -> Wake {
    project.wake(args).env("REFGENIE", config(project))
}

pub(crate) fn config(project: &Project) -> PathBuf {
    project.path("g/genome_config.yaml")
}

/// Registers a directory with one file, `DIGEST.fa`.
pub(crate) fn add(project: &Project, asset: &str, text: &str) -> Finished {
    let dir = format!("made/{}", asset.replace(['/', ':'], "_"));
    project.write(&format!("{dir}/{DIGEST}.fa"), text);
    add_call(project, asset, &dir).run()
}

/// Registers an existing directory.
pub(crate) fn add_call(project: &Project, asset: &str, dir: &str) -> Wake {
    let name = asset.split(['/', ':']).nth(1).unwrap();
    let keys = format!("{{\"{name}\": \"{DIGEST}.fa\"}}");
    wake(project, &["asset", "add", asset, "--path", dir, "--seek-keys", &keys])
}

/// The output of a command, which must succeed.
#[track_caller]
pub(crate) fn printed(project: &Project, args: &[&str]) -> String {
    wake(project, args).run().success().stdout
}
