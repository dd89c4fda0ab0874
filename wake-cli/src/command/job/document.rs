//! Combining flags and a document into what to run, and how.

use wake_codespec::name::CodespecReference;
use wake_codespec::run::{RunDocument, argument};
use wake_job::options::{JobOptions, Place, RootChoice, Streams};
use wake_job::prepare::merged;
use wake_job::record::EngineName;
use wake_model::Network;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::JobArgs;
use crate::codespecs;
use crate::command::buffer::tags;
use crate::exit::Stop;
use crate::settings::Settings;

/// Returns the options of a job that are not in its document.
pub(super) fn options(
    args: &JobArgs,
    streams: Streams,
    settings: &Settings,
) -> Result<JobOptions, Stop> {
    let root = args.rootfs.as_ref().map(|root| match root.to_str() {
        Some("host") => RootChoice::Host,
        _ => RootChoice::Dir(settings.cwd.join(root)),
    });
    if let Some(RootChoice::Dir(dir)) = &root
        && !dir.is_dir()
    {
        let message = format!("`{}` is not a directory", dir.display());
        return Err(Diagnostic::error(Class::Usage, message).into());
    }
    let network = if args.allow_network { Network::Host } else { Network::None };
    let place = match args.engine.elsewhere() {
        None => Place::Here,
        Some(EngineName::Slurm) => Place::Elsewhere,
        Some(EngineName::Kubernetes) => Place::Cluster,
    };
    let (sandbox, dir) = (settings.sandbox, settings.cwd.clone());
    Ok(JobOptions { root, streams, network, sandbox, dir, place, graphics: None })
}

/// Combines a document and flags into a run; flags override the document.
pub(super) fn document(args: &JobArgs, settings: &Settings) -> Result<RunDocument, Stop> {
    let named = args.name.as_ref().or(args.codespec.as_ref());
    let mut reference = named
        .map(|name| name.parse::<CodespecReference>())
        .transpose()
        .map_err(|error| Diagnostic::error(Class::Usage, error.to_string()))?;
    match (&mut reference, args.version) {
        (Some(reference), version) => reference.version = version.or(reference.version),
        (None, Some(_)) => {
            let message = "`--version` requires a codespec name";
            return Err(Diagnostic::error(Class::Usage, message).into());
        }
        (None, None) => {}
    }
    let mut run = match (&args.file, reference) {
        (Some(file), reference) => {
            let mut run = codespecs::read(file, settings)?.run(settings)?;
            if let Some(reference) = reference {
                run.set_codespec(reference);
            }
            run
        }
        (None, Some(reference)) => RunDocument::of(reference),
        (None, None) => {
            let message = "no codespec or run document given";
            return Err(Diagnostic::error(Class::Usage, message)
                .help("name a codespec, or pass a run document with `--file FILE`")
                .into());
        }
    };
    for text in &args.buffers {
        let usage = |message: String| Diagnostic::error(Class::Usage, message);
        let (name, id) = text
            .split_once('=')
            .ok_or_else(|| usage(format!("`--buffer {text}`: expected `NAME=ID`")))?;
        let argument =
            argument(id).map_err(|error| usage(format!("`--buffer {text}`: {error}")))?;
        run.set_argument(name, argument);
    }
    let over =
        |error: wake_model::buffer::TagError| Diagnostic::error(Class::Usage, error.to_string());
    run.job.tags = merged(&run.job.tags, &tags(&args.buffer_tags)?).map_err(over)?;
    run.tags = merged(&run.tags, &tags(&args.tags)?).map_err(over)?;
    run.job.buffer_ttl = args.buffer_ttl.or(run.job.buffer_ttl);
    if let Some(timeout) = args.timeout {
        run.timeout = timeout.as_secs().max(1);
    }
    Ok(run)
}
