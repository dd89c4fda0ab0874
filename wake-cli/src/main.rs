//! The `wake` program: the command line, the terminal, and the exit of the process.
//!
//! | file | does |
//! |---|---|
//! | `args`, `environment` | the command line and the environment |
//! | `terminal`, `manner` | escaping, colours, widths, number formats; verbosity |
//! | `settings`, `selection` | the settings that result |
//! | `exit`, `print`, `signals`, `crash` | exit codes, results on standard output, signals, crash reports |
//! | `report` | output during a build |
//! | `source_state` | the commit of the sources |
//! | `documents` | errors in documents |
//! | `session`, `formulas`, `recipes`, `images`, `codespecs`, `assets` | access to everything that is built |
//! | `watch` | changes on disk |
//! | `command` | one file for each command |
//!
//! They are listed in order of declaration, and none knows a later one.

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once, at the end of a command, and read by a person"
)]

mod args;
mod environment;
mod clock;
mod terminal;
mod manner;
mod settings;
mod selection;
mod exit;
mod print;
mod signals;
mod crash;
mod report;
mod source_state;
mod session;
mod outside;
mod documents;
mod formulas;
mod recipes;
mod images;
mod codespecs;
mod assets;
mod watch;
mod command;

use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use wake_steps::diagnostic::Failure;

use crate::args::{Cli, Command, MessageFormat, Warnings};
use crate::environment::{Environment, Process};
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::{Detail, Manner, Verbosity};
use crate::report::witness::Witness;
use crate::settings::Settings;
use crate::terminal::guard::Guard;
use crate::terminal::style::Style;

/// Builds allocate many small objects on many threads, evaluators by the million.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Workers are started by the hundred and take no flags; handle them before anything else.
    match environment::arguments().nth(1) {
        Some(first) if first == session::EVALUATION_WORKER => wake_build::evaluation_worker(),
        Some(first) if first == session::SANDBOX_WORKER => wake_exec::serve(),
        _ => front(),
    }
}

/// The program as started by people and scripts.
fn front() -> ExitCode {
    let cli = Cli::typed();
    let environment = Environment::read();
    crash::install(environment.temporary.clone());
    let settings =
        Process::this().and_then(|process| Settings::new(&cli.global, &environment, &process));
    let settings = match settings {
        Ok(settings) => settings,
        Err(diagnostic) => return complain(&diagnostic.into(), PLAIN),
    };
    match run(&cli.command, &settings, &environment) {
        Ok(Exit(code)) => ExitCode::from(code),
        Err(Stop::Failure(failure)) if settings.format == MessageFormat::Json => {
            Witness::new(report::reporter(&settings)).close(&failure);
            ExitCode::from(failure.class().exit_code())
        }
        Err(Stop::Failure(failure)) => complain(&failure, settings.manner),
        Err(Stop::Refusal(diagnostic, exit)) => {
            complain(&diagnostic.into(), settings.manner);
            ExitCode::from(exit)
        }
        Err(Stop::NobodyReads) => ExitCode::from(exit::NOBODY_READS),
    }
}

/// The manner of output before the settings are known.
const PLAIN: Manner = Manner {
    style: Style { color: false, unicode: false },
    detail: Detail::Full,
    verbosity: Verbosity::Normal,
    warnings: Warnings::Ran,
    annotations: false,
};

fn complain(failure: &Failure, manner: Manner) -> ExitCode {
    for diagnostic in &failure.diagnostics {
        report::diagnostic::tell(diagnostic, manner);
    }
    ExitCode::from(failure.class().exit_code())
}

fn run(command: &Command, settings: &Settings, environment: &Environment) -> Outcome {
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    let mut out = BufWriter::new(Guard::new(stdout, is_terminal));
    let mut say = Guard::new(std::io::stderr(), settings.terminal);
    let outcome = match command {
        Command::Build(args) => command::build::run(args, settings, &mut out),
        Command::Test(args) => command::test::run(args, settings, &mut say),
        Command::Run(args) => command::run::run(args, settings),
        Command::Shell(args) => command::shell::shell(args, settings),
        Command::Exec(args) => command::shell::exec(args, settings),
        Command::Plan(args) => command::plan::run(args, settings, &mut out),
        Command::Why(args) => command::why::run(args, settings, &mut out),
        Command::Graph(args) => command::graph::run(args, settings, &mut out),
        Command::Query(args) => command::query::run(args, settings, &mut out),
        Command::Affected(args) => command::affected::run(args, settings, &mut out),
        Command::Log(args) => command::log::run(args, settings, &mut out),
        Command::Ls(args) => command::ls::run(args, settings, &mut out),
        Command::Eval(args) => command::eval::run(args, settings, &mut out, &mut say),
        Command::Init(args) => command::init::run(args, settings, &mut say),
        Command::Tree(args) => command::tree::run(args, settings, &mut out),
        Command::Info(args) => command::inquiry::info(args, settings, &mut out),
        Command::Search(args) => command::inquiry::search(args, settings, &mut out),
        Command::Vendor(args) => command::inquiry::vendor(args, settings, &mut say),
        Command::Add(args) => command::needs::add(args, settings, &mut say),
        Command::Remove(args) => command::needs::remove(args, settings, &mut say),
        Command::Lock(args) => command::lock::run(args, settings, &mut say),
        Command::Update(args) => command::lock::update(args, settings, &mut say),
        Command::Publish(args) => command::publish::run(args, settings, &mut out, &mut say),
        Command::Yank(args) => command::registry::yank(args, settings, &mut say),
        Command::Login(args) => command::login::run(args, settings, &mut say),
        Command::Logout(args) => command::login::log_out(args, settings, &mut say),
        Command::Key(command) => command::key::run(command, settings, &mut out, &mut say),
        Command::Registry(command) => command::registry::run(command, settings, &mut say),
        Command::Gc(args) => command::gc::run(args, &session::store(settings)?, settings, &mut say),
        Command::Store(command) => {
            let store = session::store(settings)?;
            command::store::run(command, &store, settings, &mut out, &mut say)
        }
        Command::Image(args) => {
            command::image::run(args, settings, environment, &mut out, &mut say)
        }
        Command::Asset(args) => {
            command::asset::run(args, settings, environment, &mut out, &mut say)
        }
        Command::Genome(args) => {
            command::genome::run(args, settings, environment, &mut out, &mut say)
        }
        Command::Formula(command) => command::formula::run(command, settings, &mut out, &mut say),
        Command::Buffer(command) => command::buffer::run(command, settings, &mut out),
        Command::Job(command) => command::job::run(command, settings, &mut out, &mut say),
        Command::Codespec(command) => command::codespec::run(command, settings, &mut out),
        Command::Recipe(args) => {
            command::recipe::run(args, settings, environment, &mut out, &mut say)
        }
        Command::Ware(command) => command::ware::run(command, settings, &mut out, &mut say),
        Command::Doctor(args) => command::doctor::run(args, settings, environment, &mut out),
        Command::Completions(args) => command::completions::run(args, &mut out),
    };
    // A closed standard error is not an error.
    let _ = say.flush();
    let outcome = outcome?;
    out.flush()?;
    Ok(outcome)
}
