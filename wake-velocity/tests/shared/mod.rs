//! Images in memory, and errors as users see them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;

use wake_velocity::DocumentError;
use wake_velocity::catalog::Catalog;
use wake_velocity::plan::{Plan, Surroundings};
use wake_velocity::script::{Backend, Limits};
use wake_velocity::solve::{SolveError, solve};
use wake_velocity::spec::Setting;

/// Files by path below `images`.
pub(crate) type Images = BTreeMap<String, Vec<u8>>;

pub(crate) fn images(files: &[(&str, &str)]) -> Images {
    let file = |(path, text): &(&str, &str)| (format!("images/{path}"), text.as_bytes().to_vec());
    files.iter().map(file).collect()
}

pub(crate) fn setting(backend: &str) -> Setting {
    Setting {
        system: "frontier".to_owned(),
        backend: backend.to_owned(),
        distro: "ubuntu".to_owned(),
    }
}

pub(crate) fn read(files: &Images, backend: &str) -> Result<Catalog, DocumentError> {
    Catalog::read(files, &["images".to_owned()], &setting(backend))
}

/// The plan for targets, or the first error.
pub(crate) fn plan(files: &Images, backend: &str, targets: &[&str]) -> Result<Plan, SolveError> {
    let catalog = read(files, backend)?;
    let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
    let solution = solve(&catalog, &targets)?;
    let surroundings = Surroundings {
        build_dir: "/build".to_owned(),
        working_dir: "/here".to_owned(),
        name: None,
        threads: 3,
        arch: "x86_64".to_owned(),
        timestamp: "today".to_owned(),
        limits: Limits::default(),
        digest: &|_| None,
    };
    let backend: Backend = backend.parse().unwrap();
    Ok(Plan::new(&catalog, files, &solution, backend, &surroundings)?)
}

/// Position, message, line with a caret, hint.
pub(crate) fn told(error: &SolveError) -> String {
    let mut told = format!("{error}");
    if let SolveError::Document(error) = error
        && error.place.line > 0
    {
        let caret = " ".repeat(error.place.column - 1);
        told.push_str(&format!("\n  {}\n  {caret}^", error.source_line));
    }
    if let Some(help) = error.help() {
        told.push_str(&format!("\nhelp: {help}"));
    }
    told
}

/// The error for targets, as shown to users.
pub(crate) fn refused(files: &[(&str, &str)], backend: &str, targets: &[&str]) -> String {
    told(&plan(&images(files), backend, targets).expect_err("it is refused"))
}

/// A document of the first generation for this system, with lines below the distribution.
pub(crate) fn first(backend: &str, lines: &[&str]) -> String {
    let mut text = format!("build_specifications:\n  frontier:\n    {backend}:\n      ubuntu:\n");
    lines.iter().for_each(|line| text.push_str(&format!("        {line}\n")));
    text
}
