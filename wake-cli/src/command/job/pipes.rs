//! `wake job pipes`: connects buffers to the pipes of a command that another program runs.

use std::thread;

use wake_job::served::{ServeError, ServedPipes, end, make};
use wake_steps::clock::unix_ms;
use wake_steps::diagnostic::{Class, Diagnostic};

use super::LOOK;
use crate::args::PipesCommand;
use crate::command::buffer::failure as buffer_failure;
use crate::exit::{Exit, Outcome};
use crate::session;
use crate::settings::Settings;

/// Creates pipes, serves them, or reports that their command has succeeded.
pub(super) fn run(command: &PipesCommand, settings: &Settings) -> Outcome {
    let failed = match command {
        PipesCommand::Make { dir, names } => make(&settings.cwd.join(dir), names),
        PipesCommand::End { dir } => end(&settings.cwd.join(dir)),
        PipesCommand::Serve { dir, inputs, outputs } => {
            let cancel = session::cancel()?;
            let store = session::store(settings)?;
            let dir = settings.cwd.join(dir);
            let pipes = ServedPipes { dir, inputs: inputs.clone(), outputs: outputs.clone() };
            let served = pipes.serve(&store, &cancel, unix_ms());
            // If the process exited by itself, it would be restarted.
            while served.is_ok() && !cancel.is_cancelled() {
                thread::sleep(LOOK);
            }
            served
        }
    };
    failed.map(|()| Exit::SUCCESS).map_err(|error| failure(error).into())
}

fn failure(error: ServeError) -> Diagnostic {
    match error {
        ServeError::Buffer(error) => buffer_failure(error),
        error => Diagnostic::error(Class::Environment, error.to_string()),
    }
}
