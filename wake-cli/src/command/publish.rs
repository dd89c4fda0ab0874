//! `wake publish`

use std::io::Write;

use wake_build::{Extent, PublishRequest, PublishStep, Published, Signing};

use crate::args::PublishArgs;
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::report;
use crate::session;
use crate::settings::Settings;
use crate::source_state::source;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// Publishes packages, or shows what would be published.
pub(crate) fn run(
    args: &PublishArgs,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let extent = match (args.list, args.dry_run) {
        (true, _) => Extent::List,
        (false, true) => Extent::Trial,
        (false, false) => Extent::Whole,
    };
    let session = session::open(settings)?;
    let signing = match (&args.key, args.no_sign) {
        (Some(key), _) => Signing::By(key.clone()),
        (None, true) => Signing::Nobody,
        (None, false) => Signing::IfPossible,
    };
    let request = PublishRequest {
        targets: args.targets.clone(),
        registry: args.registry.clone(),
        extent,
        verify: !args.no_verify,
        allowed: args.allow_secret.clone(),
        signing,
        source: match extent {
            Extent::Trial | Extent::Whole if !args.no_sign => source(&session.workspace.root),
            _ => None,
        },
    };
    let mut unwritten = Ok(());
    let mut heard = |step| {
        let told = match extent {
            Extent::List => list(&step, out),
            Extent::Trial | Extent::Whole => tell(&step, settings, say),
        };
        if unwritten.is_ok() {
            unwritten = told;
        }
    };
    session.publish(&request, &*session::cancel()?, &mut heard)?;
    unwritten?;
    if extent == Extent::Trial && settings.manner.verbosity > Verbosity::Quiet {
        let rest = "dry run: nothing was published";
        writeln!(say, "{}", settings.manner.style.verb(Role::Good, "Finished", rest))?;
    }
    Ok(Exit::SUCCESS)
}

/// Prints only the files, one per line.
fn list(step: &PublishStep, out: &mut impl Write) -> std::io::Result<()> {
    let PublishStep::Files { files, .. } = step else { return Ok(()) };
    files.iter().try_for_each(|file| writeln!(out, "{}", escape::line(file)))
}

fn tell(step: &PublishStep, settings: &Settings, say: &mut impl Write) -> std::io::Result<()> {
    let style = settings.manner.style;
    if let PublishStep::Warning(warning) = step {
        let text = report::diagnostic::render(warning, settings.manner.detail, style);
        return say.write_all(text.as_bytes());
    }
    if settings.manner.verbosity == Verbosity::Quiet {
        return Ok(());
    }
    let (role, verb, rest) = match step {
        PublishStep::Checking { pkg } => (Role::Good, "Checking", pkg.clone()),
        PublishStep::Trying { pkg } => (Role::Good, "Trying", pkg.clone()),
        PublishStep::Retrieving { by, pkgs } => {
            (Role::Good, "Retrieving", words::retrieving(by, *pkgs))
        }
        PublishStep::Files { files, size } => {
            let (count, bytes) = (words::count(files.len(), "file"), words::bytes(*size));
            (Role::Good, "Packed", format!("{count}, {bytes}: {}", files.join("  ")))
        }
        PublishStep::Needs { need } => (Role::Good, "Needs", need.clone()),
        PublishStep::Verified { modules, sandbox, ms } => {
            let modules = words::count(*modules, "module");
            let time = words::span_ms(*ms);
            let rest = format!("{modules} from the archive alone, {sandbox}, in {time}");
            (Role::Good, "Verified", rest)
        }
        PublishStep::Content { content, archive, sha256, key } => {
            let (content, sha256) = (short(content), short(sha256));
            let bytes = words::bytes(*archive);
            let key = key.as_ref().map_or_else(String::new, |key| format!("  key {key}"));
            (Role::Good, "Content", format!("{content}  archive {bytes}, sha256 {sha256}{key}"))
        }
        PublishStep::Done { pkg, registry, outcome } => match outcome {
            Published::Now => (Role::Good, "Published", format!("{pkg} to {registry}")),
            Published::Before => {
                (Role::Good, "Finished", format!("{pkg} is already published in {registry}"))
            }
            Published::Signed => {
                (Role::Good, "Signed", format!("{pkg}, already published in {registry}"))
            }
            Published::Trial => (Role::Caution, "Would publish", format!("{pkg} to {registry}")),
        },
        PublishStep::Warning(_) => return Ok(()),
    };
    writeln!(say, "{}", style.verb(role, verb, escape::line(&rest)))
}

/// Returns the first digits of a digest.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
