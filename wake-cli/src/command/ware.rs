//! `wake ware`: trees under ids that say what is in them.

use std::io::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::ware::{
    Cached, Category, Meter, Node, Ownership, PackFilters, PackType, Placement, Policy, Unpack,
    UnpackFilters, WareCache, WareId, Warehouse, list, mirror, pack_metered, scan,
};

use crate::args::{Placer, WareCommand};
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::report::transfer::Transfer;
use crate::session;
use crate::settings::Settings;
use crate::signals;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Packs, unpacks, scans, mirrors and lists; the id alone goes to standard output.
pub(crate) fn run(
    command: &WareCommand,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let cwd = &settings.cwd;
    let meter = Arc::new(Meter::default());
    // What lies under a temporary name until then goes as well.
    let stop = Arc::clone(&meter);
    signals::listen(move || stop.stop()).map_err(|source| {
        Diagnostic::error(Class::Environment, format!("cannot prepare for Ctrl-C: {source}"))
    })?;
    let done = match command {
        WareCommand::Pack { packtype, path, target, filters } => {
            let packtype = parse::<PackType>(packtype)?;
            let filters =
                filters_or(filters.as_deref(), PackFilters::CONSERVATIVE, PackFilters::apply)?;
            let target =
                target.as_deref().map(|url| warehouse(url, packtype, settings)).transpose()?;
            progress(settings, say, "Packing", &path.display().to_string())?;
            let _transfer = Transfer::show(settings, "Packing", &meter);
            pack_metered(&cwd.join(path), packtype, filters, target.as_ref(), &meter)
                .map_err(|error| Fault::new(&error, error.category()))
        }
        WareCommand::Id { packtype, path, filters } => {
            let packtype = parse::<PackType>(packtype)?;
            let filters =
                filters_or(filters.as_deref(), PackFilters::CONSERVATIVE, PackFilters::apply)?;
            let _transfer = Transfer::show(settings, "Hashing", &meter);
            pack_metered(&cwd.join(path), packtype, filters, None, &meter)
                .map_err(|error| Fault::new(&error, error.category()))
        }
        WareCommand::Unpack { ware, path, sources, filters, placer } => {
            let ware = parse::<WareId>(ware)?;
            let filters =
                filters_or(filters.as_deref(), UnpackFilters::LOW_PRIV, UnpackFilters::apply)?;
            let sources = warehouses(sources, ware.packtype(), settings)?;
            progress(settings, say, "Unpacking", &ware.to_string())?;
            let asked = Asked { ware: &ware, sources: &sources, filters, placer: *placer };
            unpack(&asked, &cwd.join(path), &meter, settings, say)?
        }
        WareCommand::Scan { packtype, source, filters } => {
            let packtype = parse::<PackType>(packtype)?;
            let filters =
                filters_or(filters.as_deref(), UnpackFilters::CONSERVATIVE, UnpackFilters::apply)?;
            let source = warehouse(source, packtype, settings)?;
            progress(settings, say, "Scanning", &source.to_string())?;
            let _transfer = Transfer::show(settings, "Scanning", &meter);
            scan(packtype, &source, filters, Policy::WARE, &meter)
                .map_err(|error| Fault::new(&error, error.category()))
        }
        WareCommand::Mirror { ware, target, sources } => {
            let ware = parse::<WareId>(ware)?;
            let target = warehouse(target, ware.packtype(), settings)?;
            let sources = warehouses(sources, ware.packtype(), settings)?;
            progress(settings, say, "Mirroring", &ware.to_string())?;
            let _transfer = Transfer::show(settings, "Mirroring", &meter);
            mirror(&ware, &target, &sources, Policy::WARE, &meter)
                .map(|()| ware)
                .map_err(|error| Fault::new(&error, error.category()))
        }
        WareCommand::Ls { packtype, source } => {
            let packtype = parse::<PackType>(packtype)?;
            let source = warehouse(source, packtype, settings)?;
            return match list(packtype, &source, Policy::WARE) {
                Ok((_, nodes)) => {
                    for (path, meta) in &nodes {
                        writeln!(out, "{}", entry(path.as_str(), meta))?;
                    }
                    Ok(Exit::Success)
                }
                Err(error) => Fault::new(&error, error.category()).tell(settings, say),
            };
        }
    };
    match done {
        Ok(ware) => {
            writeln!(out, "{ware}")?;
            Ok(Exit::Success)
        }
        Err(fault) => fault.tell(settings, say),
    }
}

struct Asked<'a> {
    ware: &'a WareId,
    sources: &'a [Warehouse],
    filters: UnpackFilters,
    placer: Placer,
}

fn unpack(
    asked: &Asked<'_>,
    path: &Path,
    meter: &Arc<Meter>,
    settings: &Settings,
    say: &mut impl Write,
) -> Result<Result<WareId, Fault>, Stop> {
    let Asked { ware, sources, filters, placer } = *asked;
    // Held while the cache is used, so that nothing is collected from it.
    let store = match placer {
        Placer::Direct => None,
        Placer::Copy | Placer::None => Some(session::store(settings)?),
    };
    let cache = store.as_ref().map(|store| WareCache::new(&store.ware_cache_dir()));
    let placement = match placer {
        Placer::Copy => Placement::Copy,
        Placer::Direct => Placement::Direct,
        Placer::None => Placement::None,
    };
    let asked = Unpack { ware, sources, filters, cache: cache.as_ref(), policy: Policy::WARE };
    let transfer = Transfer::show(settings, "Unpacking", meter);
    let placed = asked.place_at(path, placement, meter);
    drop(transfer);
    Ok(match placed {
        Ok(unpacked) => {
            if unpacked.cached == Cached::Altered && settings.manner.verbosity > Verbosity::Quiet {
                let what = "it was altered in the store, and is unpacked anew";
                writeln!(say, "{}", settings.manner.style.verb(Role::Caution, "Note", what))?;
            }
            if unpacked.ownership != Ownership::Kept && settings.manner.verbosity > Verbosity::Quiet
            {
                let what = "files belong to you where their owner could not be set";
                writeln!(say, "{}", settings.manner.style.verb(Role::Caution, "Note", what))?;
            }
            Ok(unpacked.ware)
        }
        Err(error) => Err(Fault::new(&error, error.category())),
    })
}

/// A node as a line: kind and rights, owner, path, and where a link leads.
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

/// A failure with the category and the exit code that others publish for it.
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) category: &'static str,
    pub(crate) exit: u8,
    pub(crate) help: Option<String>,
}

impl Fault {
    fn new(error: &dyn std::error::Error, category: Category) -> Self {
        let (category, exit) = (category.name(), category.exit_code());
        Fault { message: error.to_string(), category, exit, help: None }
    }

    /// Says what is wrong, and ends with the published code.
    pub(crate) fn tell(self, settings: &Settings, say: &mut impl Write) -> Outcome {
        let Fault { message, category, exit, help } = self;
        let mut diagnostic = Diagnostic::error(Class::Action, message)
            .note(format!("category {category}, exit code {exit}"));
        diagnostic.help.extend(help);
        let manner = settings.manner;
        let text = crate::report::diagnostic::render(&diagnostic, manner.detail, manner.style);
        say.write_all(text.as_bytes())?;
        Ok(Exit::Code(exit))
    }
}

fn progress(settings: &Settings, say: &mut impl Write, verb: &str, what: &str) -> Result<(), Stop> {
    if settings.manner.verbosity > Verbosity::Normal {
        writeln!(say, "{}", settings.manner.style.verb(Role::Good, verb, escape::line(what)))?;
    }
    Ok(())
}

/// An argument that is wrong is a mistake in the command line, as with every other command.
fn parse<T: FromStr>(text: &str) -> Result<T, Stop>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| usage(&error))
}

fn usage(error: &dyn std::fmt::Display) -> Stop {
    Diagnostic::error(Class::Usage, error.to_string()).into()
}

fn filters_or<F: FromStr>(
    text: Option<&str>,
    defaults: F,
    apply: impl Fn(F, F) -> F,
) -> Result<F, Stop>
where
    F::Err: std::fmt::Display,
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
