//! `wake build`

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use wake_build::{BuildRequest, LinkPolicy, Session};
use wake_formula::Grants;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::{Results, SchedulePolicy, Steps as _};

use crate::args::{BuildArgs, MessageFormat, Warnings};
use crate::command::watch::{self, Watched};
use crate::exit::{Exit, Outcome};
use crate::outside::Outside;
use crate::print;
use crate::report::{self, witness::Witness};
use crate::selection;
use crate::settings::Settings;
use crate::{formulas, session, signals};

/// Builds the targets, reporting progress, and prints the paths of the results on request.
pub(crate) fn run(args: &BuildArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let settings = &settings.showing(args.warnings.warnings);
    if args.print && settings.format == MessageFormat::Json {
        let message = "`--print` and `--message-format json` both write to standard output";
        return Err(Diagnostic::error(Class::Usage, message)
            .help("read the results from the `linked` events")
            .into());
    }
    let files = formulas::among(&args.selection.targets, settings)?;
    if !files.is_empty() && args.watch {
        let message = "`--watch` cannot build formulas";
        return Err(Diagnostic::error(Class::Usage, message).into());
    }
    if !files.is_empty() {
        formulas::take_no_config(&args.selection.config)?;
        let (keep_going, rebuild) = (args.keep_going, args.rebuild);
        let rules = SchedulePolicy { keep_going, rebuild, ..SchedulePolicy::default() };
        return build_formulas(&files, rules, args, settings, out);
    }
    let request = BuildRequest {
        targets: args.selection.targets.clone(),
        config: selection::config(&args.selection.config)?,
        tags: args.tags.selection(),
        keep_going: args.keep_going,
        rebuild: args.rebuild,
        link: if args.no_link { LinkPolicy::Never } else { LinkPolicy::Always },
        results: args.print,
        recalls_warnings: args.warnings.warnings == Warnings::All,
        ..BuildRequest::default()
    };
    if args.watch {
        let poll = args.poll.map(|seconds| Duration::from_secs(u64::from(seconds.get())));
        let (mut reporter, mut after) = (|| report::reporter(settings), |_: &Session| Ok(()));
        let (reporter, after) = (&mut reporter, &mut after);
        return watch::run(Watched { request: &request, poll, reporter, after }, settings);
    }
    let report = session::build(settings, &request, args.profile.file.as_deref());
    if args.print {
        print::lines(report.built.iter().map(|built| session::place(built).display()), out)?;
    }
    Ok(Exit(report.exit))
}

/// Builds formulas, whose outputs stay in the store.
fn build_formulas(
    files: &[PathBuf],
    rules: SchedulePolicy,
    args: &BuildArgs,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let mut witness = Witness::new(report::reporter(settings));
    let mut carry_out = || -> Result<(u8, Vec<PathBuf>), Failure> {
        let profile = session::record(settings, args.profile.file.as_deref(), &mut witness)?;
        let machine = session::machine(settings, profile)?;
        let formulas = formulas::of_files(files, &machine, Grants::default(), settings)?;
        let cancel = session::cancel()?;
        let results = Results::new(formulas.order().len());
        let outside =
            Outside { machine: &machine, settings, rules, tells_host: true, cancel: &cancel };
        let end = outside.perform(&formulas, &results, &mut witness);
        let done = formulas.into_results().filter_map(|end| end.result.ok());
        Ok((end.exit, done.flat_map(|ran| ran.packed().collect::<Vec<_>>()).collect()))
    };
    match carry_out() {
        Ok((exit, packed)) => {
            if args.print {
                print::lines(packed.iter().map(|packed| packed.display()), out)?;
            }
            Ok(Exit(witness.exit_code(signals::exit_code(exit))))
        }
        Err(failure) => Ok(Exit(witness.close(&failure))),
    }
}
