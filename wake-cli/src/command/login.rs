//! `wake login` and `wake logout`

use std::io::Write;

use wake_build::LoginNote;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{LoginArgs, LogoutArgs};
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::secret::read_secret;
use crate::terminal::style::Role;

/// Saves a login for a registry after the registry accepts it.
pub(crate) fn run(args: &LoginArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let what = if args.username.is_some() { "Password" } else { "Token" };
    let secret = read_secret(&format!("{what} for {}: ", args.registry)).map_err(|error| {
        Diagnostic::error(Class::Usage, format!("cannot read the login: {error}"))
            .help("enter the login on standard input, as one line")
    })?;
    let login = LoginNote { username: args.username.clone(), secret };
    let told = session.log_in(&args.registry, &login, &*session::cancel()?)?;
    if let Some(server) = told {
        let rest =
            format!("{server} issues tokens for `{}` and will be sent the login", args.registry);
        tell("Note", Role::Caution, &rest, settings, say)?;
    }
    tell("Saved", Role::Good, &format!("the login for `{}`", args.registry), settings, say)
}

/// Deletes the saved login for a registry.
pub(crate) fn log_out(args: &LogoutArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let rest = match session::open(settings)?.log_out(&args.registry)? {
        true => format!("the login for `{}`", args.registry),
        false => format!("nothing: no login for `{}` was saved", args.registry),
    };
    tell("Forgot", Role::Good, &rest, settings, say)
}

fn tell(verb: &str, role: Role, rest: &str, settings: &Settings, say: &mut impl Write) -> Outcome {
    if settings.manner.verbosity > Verbosity::Quiet {
        let line = settings.manner.style.verb(role, verb, escape::line(rest));
        writeln!(say, "{line}")?;
    }
    Ok(Exit::SUCCESS)
}
