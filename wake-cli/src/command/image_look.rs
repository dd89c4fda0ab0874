//! `wake image why` and `wake image shell`: inspection of the steps that build images.

use std::io::Write;
use std::path::PathBuf;

use wake_build::{Entering, Guest, VisitEnd, VisitedStep};
use wake_image_build::ImageBuilds;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::explain::Outlook;
use wake_steps::profile::Profile;
use wake_steps::shell_line::shell_line;
use wake_steps::{Results, SchedulePolicy, Steps as _};
use wake_velocity::script::Backend;

use crate::args::ReachArgs;
use crate::command::image_build::{site, stored};
use crate::command::shell::{self, Doorway};
use crate::command::why;
use crate::exit::{Exit, Outcome};
use crate::images::Images;
use crate::outside::{Outside, history};
use crate::print;
use crate::settings::Settings;
use crate::{session, signals};

/// Prints why the steps of images last ran, or would run now.
pub(crate) fn explain(
    targets: &[String],
    reach: ReachArgs,
    as_json: bool,
    images: &Images<'_>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let machine = session::machine(settings, Profile::default())?;
    let cancel = session::cancel()?;
    let kept = stored(&machine, &cancel);
    let resolve = images.resolve(&kept);
    let resolved = images.resolved(targets, None, Backend::Wake, resolve)?;
    let site = site(&resolved, reach, images, &machine, settings);
    let builds = ImageBuilds::new(&site, None).map_err(|error| *error)?;
    let results = Results::new(builds.order().len());
    let history = history(&machine);
    let outlook = Outlook::new(&machine, &builds, &results, &history, &cancel);
    // Each step is planned with the cached results of those before it.
    outlook.plan()?;
    let mut answers = Vec::new();
    for &step in builds.order() {
        answers.push(outlook.why(step)?);
    }
    if as_json {
        return print::json(&answers, out);
    }
    for answer in &answers {
        why::tell(answer, 0, settings.manner.style, out)?;
    }
    Ok(Exit::SUCCESS)
}

/// Opens a shell where the commands of an image run.
pub(crate) fn enter(
    targets: &[String],
    before: bool,
    command: &[String],
    reach: ReachArgs,
    images: &Images<'_>,
    settings: &Settings,
) -> Outcome {
    let guest = match command.split_first() {
        None => Guest::Shell,
        Some((name, args)) => Guest::Program { name: name.clone(), args: args.to_vec() },
    };
    let doorway = Doorway::new(guest, !before, settings)?;
    let machine = session::machine(settings, Profile::default())?;
    let cancel = &doorway.cancel;
    let kept = stored(&machine, cancel);
    let resolve = images.resolve(&kept);
    let resolved = images.resolved(targets, None, Backend::Wake, resolve)?;
    let site = site(&resolved, reach, images, &machine, settings);
    let builds = ImageBuilds::new(&site, None).map_err(|error| *error)?;
    let results = Results::new(builds.order().len());
    let Some(step) = builds.commands() else {
        let message = "the image has no `@run` line, so there is nothing to enter";
        return Err(Diagnostic::error(Class::Usage, message).into());
    };
    let builds = builds.only_needs_of(step);
    let mut witness = shell::witness(settings);
    let rules = SchedulePolicy::default();
    let outside = Outside { machine: &machine, settings, rules, tells_host: false, cancel };
    let exit = outside.perform(&builds, &results, &mut witness).exit;
    if exit != 0 {
        let end = VisitEnd::NotBuilt(signals::exit_code(exit));
        return shell::ended(Ok(end), &mut witness);
    }
    let history = history(&machine);
    let pinned = Outlook::new(&machine, &builds, &results, &history, cancel).pin(step)?;
    let label = builds.label(step).to_owned();
    let visited = VisitedStep { label: label.clone(), command: shell_line(&pinned) };
    let mut person = doorway.person(&visited, settings);
    let sources = PathBuf::from("/");
    let entering = Entering { label: &label, pinned: &pinned, sources: &sources };
    let end = entering.enter(&doorway.manner, &machine, cancel, &mut person);
    drop(person);
    shell::ended(end, &mut witness)
}
