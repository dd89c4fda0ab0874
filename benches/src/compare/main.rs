//! Measures wake beside other build tools on the same synthetic repository.
//!
//! `benches/compare --help` describes the options; `benches/RESULTS.md` has the results.
//!
//! | file | does |
//! |---|---|
//! | `repository`, `place` | generate the packages, and each tool's copy of them |
//! | `tool` | describe the packages to each tool and start it |
//! | `scenario`, `session` | define the scenarios, and prepare each |
//! | `measure`, `floor` | measure a process, and the lower bound for any tool |
//! | `daily` | measures an edit during `--watch`, and `wake affected` |
//! | `evaluation` | evaluates the package files with wake and with the bare evaluator |
//! | `report` | prints the table |

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this program prints a table")]

mod daily;
mod evaluation;
mod fault;
mod floor;
mod measure;
mod place;
mod report;
mod repository;
mod scenario;
mod session;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;

use crate::fault::{At, Fault};
use crate::place::Place;
use crate::repository::{Repository, Shape};
use crate::session::{Findings, Session};
use crate::tool::{Bazel, Ninja, Nix, Root, Tool, Wake};

/// Measures wake beside other build tools on the same synthetic repository
#[derive(Debug, Parser)]
#[command(name = "compare")]
struct Arguments {
    /// The wake program to measure
    #[arg(long, value_name = "PROGRAM")]
    wake: PathBuf,
    /// Number of packages
    #[arg(short = 'n', long, default_value_t = 1000)]
    packages: usize,
    /// Number of layers of packages
    #[arg(long, default_value_t = 10)]
    layers: usize,
    /// Files of 1 KiB per package
    #[arg(short, long, default_value_t = 10)]
    files: usize,
    /// Packages of the layer below that each package depends on
    #[arg(short, long, default_value_t = 5)]
    dependencies: usize,
    /// Seed for generating the dependencies and bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Size in bytes of the program that each package runs; 0: as small as possible
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    tool: u64,
    /// Number of packages, from the bottom up, that also have a large file
    #[arg(long, value_name = "NUMBER", default_value_t = 0, conflicts_with = "with")]
    large: usize,
    /// Size of the large file in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    large_size: usize,
    /// Number of times to make each measurement; the table shows medians
    #[arg(short, long, default_value_t = 5)]
    rounds: usize,
    /// Number of commands to run in parallel
    #[arg(short, long, default_value_t = 2)]
    jobs: usize,
    /// What wake's commands see besides their inputs
    #[arg(long, value_name = "ROOT", default_value = "empty")]
    root: Root,
    /// An earlier wake program to measure in the same run
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,
    /// Other tools to measure besides ninja
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    with: Vec<Other>,
    /// Smoke test: 50 packages, one round; checks the work done and the bytes made
    #[arg(long)]
    quick: bool,
    /// Directory to work in, kept afterwards [default: a temporary directory, removed afterwards]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only compare wake's evaluation of the package files with that of the bare evaluator
    #[arg(long, conflicts_with_all = ["with", "only_generate", "record"])]
    evaluation: bool,
    /// Only measure an edit during `--watch`, and `wake affected`, which no other tool has
    #[arg(long, conflicts_with_all = ["evaluation", "only_generate", "record"])]
    only_daily: bool,
    /// Only generate the checkouts in DIR, to inspect or profile
    #[arg(long, requires = "dir")]
    only_generate: bool,
    /// Write the table to FILE, replacing the one with the same heading
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// A tool that is measured only on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Other {
    Bazel,
    Nix,
}

fn main() -> ExitCode {
    if let Some(code) = evaluation::way() {
        return code;
    }
    let mut arguments = Arguments::parse();
    if arguments.quick {
        (arguments.packages, arguments.layers, arguments.rounds) = (50, 5, 1);
    }
    match compare(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("compare: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments) -> Result<(), Fault> {
    let temporary = std::env::temp_dir().join(format!("wake-compare-{}", std::process::id()));
    let base = arguments.dir.clone().unwrap_or(temporary);
    fs::create_dir_all(&base).at(&base)?;
    let base = fs::canonicalize(&base).at(&base)?;
    let result = compare_in(&base, arguments);
    if arguments.dir.is_none() && result.is_ok() {
        fs::remove_dir_all(&base).at(&base)?;
    }
    result
}

fn compare_in(base: &Path, arguments: &Arguments) -> Result<(), Fault> {
    let Arguments { packages, layers, files, dependencies, seed, .. } = *arguments;
    let Arguments { large, large_size, tool, .. } = *arguments;
    let shape = Shape { packages, layers, files, dependencies, seed, large, large_size, tool };
    let repository = Repository::new(shape);
    if arguments.evaluation {
        let table = evaluate(base, &repository, arguments)?;
        print!("{table}");
        return Ok(());
    }
    let tools = tools(base, arguments)?;
    let session = Session::new(&repository, &tools, arguments.rounds)?;
    if arguments.only_generate {
        return Ok(());
    }
    let mut findings = Findings::default();
    let mut result = match arguments.only_daily {
        true => session.build_once(),
        false => session.run(&mut findings),
    };
    let mut daily = String::new();
    for tool in &tools {
        if result.is_err() {
            break;
        }
        match daily::measure(&**tool, &repository, arguments.rounds) {
            Ok(found) => {
                let lines = found.map(|found| found.lines(tool.name()));
                daily.push_str(&lines.unwrap_or_default());
            }
            Err(fault) => result = Err(fault),
        }
    }
    for tool in &tools {
        tool.finish();
    }
    if arguments.only_daily {
        print!("{daily}");
        return result;
    }
    let section = report::section(&repository, &tools, arguments.rounds, &findings) + &daily;
    print!("{section}");
    result?;
    match &arguments.record {
        Some(path) => report::record(path, &section),
        None => Ok(()),
    }
}

fn evaluate(base: &Path, repository: &Repository, arguments: &Arguments) -> Result<String, Fault> {
    let program = fs::canonicalize(&arguments.wake).at(&arguments.wake)?;
    // No command runs, so the packages' program need not exist.
    let place = Place::new(base, "wake", Path::new("combine"))?;
    let checkout = place.checkout();
    repository.write_sources(&checkout)?;
    let tool = checkout.join("tool");
    fs::create_dir_all(&tool).at(&tool)?;
    let wake = Wake::new(program.clone(), place, arguments.root, arguments.jobs);
    wake.describe(repository)?;
    let dirs: Vec<PathBuf> =
        repository.packages.iter().map(|package| checkout.join(package.path())).collect();
    evaluation::compare(base, &dirs, &program, arguments.jobs, arguments.rounds)
}

fn tools(base: &Path, arguments: &Arguments) -> Result<Vec<Box<dyn Tool>>, Fault> {
    let jobs = arguments.jobs;
    let combine = compile(base)?;
    let size = fs::metadata(&combine).at(&combine)?.len();
    // Padding after a program is never read by it, but is copied with it.
    let padded = fs::File::options().write(true).open(&combine);
    padded.and_then(|file| file.set_len(size.max(arguments.tool))).at(&combine)?;
    let place = |name: &str| Place::new(base, name, &combine);
    let program = fs::canonicalize(&arguments.wake).at(&arguments.wake)?;
    let mut tools: Vec<Box<dyn Tool>> =
        vec![Box::new(Wake::new(program, place("wake")?, arguments.root, jobs))];
    if !arguments.only_daily {
        tools.push(Box::new(Ninja::new(place("ninja")?, jobs)?));
    }
    if let Some(before) = &arguments.before {
        let program = fs::canonicalize(before).at(before)?;
        let earlier = Wake::new(program, place("wake-before")?, arguments.root, jobs);
        tools.push(Box::new(earlier.named("wake before")));
    }
    for other in &arguments.with {
        tools.push(match other {
            Other::Bazel => Box::new(Bazel::new(place("bazel")?, jobs)?),
            Other::Nix => Box::new(Nix::new(place("nix")?, jobs)?),
        });
    }
    Ok(tools)
}

/// Compiles the command that every package runs.
fn compile(base: &Path) -> Result<PathBuf, Fault> {
    let (source, program) = (base.join("combine.c"), base.join("combine"));
    fs::write(&source, include_str!("../../action/combine.c")).at(&source)?;
    let mut command = Command::new("cc");
    command.args(["-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-builtin", "-s"]);
    command.args([
        "-fno-stack-protector",
        "-fno-pie",
        "-no-pie",
        "-fno-asynchronous-unwind-tables",
    ]);
    command.arg("-o").arg(&program).arg(&source);
    measure::run(&mut command, &base.join("combine.log"))?;
    Ok(program)
}
