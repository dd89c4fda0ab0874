//! `wake build`

use std::io::Write;

use wake_build::diagnostic::{Class, Diagnostic};
use wake_build::{BuildRequest, Built};

use crate::args::BuildArgs;
use crate::exit::{Exit, Outcome};
use crate::selection;
use crate::session;
use crate::settings::{Format, Settings};

/// Builds, tells as it goes, and prints the paths of the results if they were asked for.
pub(crate) fn run(args: &BuildArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    if args.print && settings.format == Format::Json {
        let message = "`--print` and `--message-format json` both write to standard output";
        return Err(Diagnostic::error(Class::Usage, message)
            .help("the events of `linked` name the results")
            .into());
    }
    let request = BuildRequest {
        targets: args.selection.targets.clone(),
        config: selection::config(&args.selection.config)?,
        keep_going: args.keep_going,
        rebuild: args.rebuild,
        link: !args.no_link,
        results: args.print,
    };
    let report = session::build(settings, &request, args.profile.file.as_deref());
    if args.print {
        for built in &report.built {
            writeln!(out, "{}", path(built).display())?;
        }
    }
    Ok(Exit::Code(report.exit))
}

/// Where a person finds it: the link, which outlives the next build, else its place in the store.
fn path(built: &Built) -> &std::path::Path {
    built.link.as_deref().unwrap_or(&built.tree)
}
