//! `wake eval`

use std::io::Write;

use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::EvalArgs;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Prints what an expression comes to, as JSON.
pub(crate) fn run(
    args: &EvalArgs,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
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
        (None, None) => return Ok(Exit::SUCCESS),
    };
    let result = session::open(settings)?.eval(&text, &name)?;
    for line in result.trace.iter().flat_map(|text| escape::lines(text)) {
        writeln!(say, "{}", settings.manner.style.verb(Role::Guide, "Trace", line))?;
    }
    print::json(&result.value, out)
}
