//! `wake eval`

use std::io::Write;

use wake_build::diagnostic::{Class, Diagnostic};

use crate::args::EvalArgs;
use crate::exit::{Exit, Outcome};
use crate::session;
use crate::settings::Settings;

/// Prints what an expression comes to, as JSON.
pub(crate) fn run(args: &EvalArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let (name, text) = match (&args.expression, &args.file) {
        (Some(expression), _) => ("<expression>".to_owned(), expression.clone()),
        (None, Some(file)) => {
            let path = settings.cwd.join(file);
            let text = std::fs::read_to_string(&path).map_err(|source| {
                Diagnostic::error(Class::Usage, format!("`{}`: {source}", file.display()))
            })?;
            (file.display().to_string(), text)
        }
        // The parser of the command line demands one of the two.
        (None, None) => return Ok(Exit::Success),
    };
    let value = session::eval(settings, &name, &text)?;
    serde_json::to_writer_pretty(&mut *out, &value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Success)
}
