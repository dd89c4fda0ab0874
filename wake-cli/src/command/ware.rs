//! `wake ware`: content-addressed file trees.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::ware::{
    ArchivePolicy, Cached, Category, Meter, Node, Ownership, PackFilters, PackType, Placement,
    Unpack, UnpackFilters, WareCache, WareId, Warehouse, list, mirror, pack_metered, scan,
};

use crate::args::{Placer, WareCommand};
use crate::exit::{Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::report::transfer::Transfer;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Runs a `wake ware` subcommand; only the id goes to standard output.
pub(crate) fn run(
    command: &WareCommand,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let cwd = &settings.cwd;
    // Cancelling also removes files under temporary names.
    let cancel = session::cancel()?;
    let meter = cancel.meter();
    let done = match command {
        WareCommand::Pack { packtype, path, target, filters } => {
            let packtype = parse::<PackType>(packtype)?;
            let filters =
                filters_or(filters.as_deref(), PackFilters::CONSERVATIVE, PackFilters::apply)?;
            let target =
                target.as_deref().map(|url| warehouse(url, packtype, settings)).transpose()?;
            progress(settings, say, "Packing", &path.display().to_string())?;
            let _transfer = Transfer::show(settings, "Packing", meter);
            pack_metered(&cwd.join(path), packtype, filters, target.as_ref(), meter)
                .map_err(|error| refused(&error, error.category()))?
        }
        WareCommand::Id { packtype, path, filters } => {
            let packtype = parse::<PackType>(packtype)?;
            let filters =
                filters_or(filters.as_deref(), PackFilters::CONSERVATIVE, PackFilters::apply)?;
            let _transfer = Transfer::show(settings, "Hashing", meter);
            pack_metered(&cwd.join(path), packtype, filters, None, meter)
                .map_err(|error| refused(&error, error.category()))?
        }
        WareCommand::Unpack { ware, path, sources, filters, placer } => {
            let ware = parse::<WareId>(ware)?;
            let filters =
                filters_or(filters.as_deref(), UnpackFilters::LOW_PRIV, UnpackFilters::apply)?;
            let sources = warehouses(sources, ware.packtype(), settings)?;
            progress(settings, say, "Unpacking", &ware.to_string())?;
            let (ware, sources, policy) = (&ware, &sources[..], ArchivePolicy::WARE);
            let asked = Unpack { ware, sources, filters, cache: None, policy };
            unpack(asked, *placer, &cwd.join(path), meter, settings, say)?
        }
        WareCommand::Scan { packtype, source, filters } => {
            let packtype = parse::<PackType>(packtype)?;
            let filters =
                filters_or(filters.as_deref(), UnpackFilters::CONSERVATIVE, UnpackFilters::apply)?;
            let source = warehouse(source, packtype, settings)?;
            progress(settings, say, "Scanning", &source.to_string())?;
            let _transfer = Transfer::show(settings, "Scanning", meter);
            scan(packtype, &source, filters, ArchivePolicy::WARE, meter)
                .map_err(|error| refused(&error, error.category()))?
        }
        WareCommand::Mirror { ware, target, sources } => {
            let ware = parse::<WareId>(ware)?;
            let target = warehouse(target, ware.packtype(), settings)?;
            let sources = warehouses(sources, ware.packtype(), settings)?;
            progress(settings, say, "Mirroring", &ware.to_string())?;
            let _transfer = Transfer::show(settings, "Mirroring", meter);
            mirror(&ware, &target, &sources, ArchivePolicy::WARE, meter)
                .map(|()| ware)
                .map_err(|error| refused(&error, error.category()))?
        }
        WareCommand::Ls { packtype, source } => {
            let packtype = parse::<PackType>(packtype)?;
            let source = warehouse(source, packtype, settings)?;
            let (_, nodes) = list(packtype, &source, ArchivePolicy::WARE, meter)
                .map_err(|error| refused(&error, error.category()))?;
            let lines = nodes.iter().map(|(path, meta)| entry(path.as_str(), meta));
            return print::lines(lines, out);
        }
    };
    print::line(done, out)
}

fn unpack(
    asked: Unpack<'_>,
    placer: Placer,
    path: &Path,
    meter: &Arc<Meter>,
    settings: &Settings,
    say: &mut impl Write,
) -> Result<WareId, Stop> {
    // Held while the cache is in use, so that nothing is garbage-collected.
    let (placement, store) = match placer {
        Placer::Copy => (Placement::Copy, Some(session::store(settings)?)),
        Placer::Direct => (Placement::Direct, None),
        Placer::None => (Placement::None, Some(session::store(settings)?)),
    };
    let cache = store.as_ref().map(|store| WareCache::new(&store.ware_cache_dir()));
    let asked = Unpack { cache: cache.as_ref(), ..asked };
    let transfer = Transfer::show(settings, "Unpacking", meter);
    let placed = asked.place_at(path, placement, meter);
    drop(transfer);
    let unpacked = placed.map_err(|error| refused(&error, error.category()))?;
    let mut note = |what: &str| match settings.manner.verbosity {
        Verbosity::Quiet => Ok(()),
        _ => writeln!(say, "{}", settings.manner.style.verb(Role::Caution, "Note", what)),
    };
    if unpacked.cached == Cached::Altered {
        note("modified in the store; unpacking it again")?;
    }
    if unpacked.ownership != Ownership::Kept {
        note("files whose owner could not be set belong to you")?;
    }
    Ok(unpacked.ware)
}

/// Formats a node as a line: kind and permissions, owner, path, and link target.
fn entry(path: &str, meta: &wake_store::ware::Meta) -> String {
    let (kind, tail) = match &meta.node {
        Node::File { .. } => ('-', String::new()),
        Node::Dir => ('d', String::new()),
        Node::Symlink { target } => ('l', format!(" -> {}", escape::line(target))),
        Node::Hardlink { target } => ('h', format!(" link to {}", escape::line(target.as_str()))),
        Node::Fifo => ('p', String::new()),
        Node::BlockDevice { .. } => ('b', String::new()),
        Node::CharDevice { .. } => ('c', String::new()),
    };
    let path = if path.is_empty() { "." } else { path };
    format!("{kind}{:04o} {}:{} {}{tail}", meta.perms, meta.uid, meta.gid, escape::line(path))
}

/// Returns the diagnostic for a failure with a published category and exit code.
pub(crate) fn refusal(error: &dyn Display, category: &str, exit: u8) -> Diagnostic {
    Diagnostic::error(Class::Action, error.to_string())
        .note(format!("category {category}, exit code {exit}"))
}

fn refused(error: &dyn Display, category: Category) -> Stop {
    let (name, exit) = (category.name(), category.exit_code());
    Stop::Refusal(refusal(error, name, exit), exit)
}

fn progress(settings: &Settings, say: &mut impl Write, verb: &str, what: &str) -> Result<(), Stop> {
    if settings.manner.verbosity > Verbosity::Normal {
        writeln!(say, "{}", settings.manner.style.verb(Role::Good, verb, escape::line(what)))?;
    }
    Ok(())
}

/// An invalid argument is a usage error, as with every other command.
fn parse<T: FromStr>(text: &str) -> Result<T, Stop>
where
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| usage(&error))
}

fn usage(error: &dyn Display) -> Stop {
    Diagnostic::error(Class::Usage, error.to_string()).into()
}

fn filters_or<F: FromStr>(
    text: Option<&str>,
    defaults: F,
    apply: impl Fn(F, F) -> F,
) -> Result<F, Stop>
where
    F::Err: Display,
{
    match text {
        None => Ok(defaults),
        Some(text) => Ok(apply(parse(text)?, defaults)),
    }
}

fn warehouse(url: &str, packtype: PackType, settings: &Settings) -> Result<Warehouse, Stop> {
    let parsed = Warehouse::parse(url, packtype, &settings.cwd, &settings.route);
    parsed.map_err(|error| usage(&error))
}

fn warehouses(
    urls: &[String],
    packtype: PackType,
    settings: &Settings,
) -> Result<Vec<Warehouse>, Stop> {
    urls.iter().map(|url| warehouse(url, packtype, settings)).collect()
}
