//! `wake key`

use std::io::Write;

use wake_build::{KeyRing, key_failure};
use wake_model::Name;

use crate::args::KeyCommand;
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::settings::Settings;
use crate::terminal::style::Role;

/// Generates and shows the user's signing keys.
pub(crate) fn run(
    command: &KeyCommand,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let ring = KeyRing::of(Some(settings.config()?));
    match command {
        KeyCommand::Generate { name } => generate(name, &ring, settings, out, say)?,
        KeyCommand::List => {
            for key in ring.all().map_err(key_failure)? {
                let public = key.key.public();
                writeln!(out, "{}  {}  {public}", key.name, public.id())?;
            }
        }
        KeyCommand::Show { name, pem } => {
            let public = ring.public(name).map_err(key_failure)?;
            match pem {
                true => write!(out, "{}", public.to_pem())?,
                false => writeln!(out, "{public}")?,
            }
        }
    }
    Ok(Exit::SUCCESS)
}

fn generate(
    name: &Name,
    ring: &KeyRing,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Result<(), crate::exit::Stop> {
    let public = ring.generate(name).map_err(key_failure)?.public();
    if settings.manner.verbosity > Verbosity::Quiet {
        let rest = format!("key `{name}` ({})", public.id());
        writeln!(say, "{}", settings.manner.style.verb(Role::Good, "Generated", &rest))?;
    }
    writeln!(out, "{public}")?;
    Ok(())
}
