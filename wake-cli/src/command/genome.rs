//! `wake genome`: the genomes of an asset registry, with their aliases and sequences.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use wake_asset::{
    AliasOwner, AssetError, Catalog, Comparison, Genome, GenomeEntry, GenomeName, Locus, NewGenome,
    Registry, RegistryPath, SeekValue, Sequence,
};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{AliasCommand, GenomeArgs, GenomeCommand};
use crate::assets;
use crate::environment::{self, Environment};
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Runs a `wake genome` subcommand.
pub(crate) fn run(
    args: &GenomeArgs,
    settings: &Settings,
    environment: &Environment,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    if let GenomeCommand::Init { fasta, aliases, description, genome_folder, servers } =
        &args.command
    {
        let config = assets::config(&args.registry, settings, environment)?;
        let folder = genome_folder.as_ref().map(|folder| settings.cwd.join(folder));
        let registry = open_or_make(&config, folder.as_deref(), servers, settings, say)?;
        return match fasta {
            None => Ok(Exit::SUCCESS),
            Some(fasta) => add(&registry, fasta, aliases, description.clone(), settings, out),
        };
    }
    let registry = assets::open(&args.registry, settings, environment)?;
    let stop = |error: AssetError| assets::stop(&error, settings);
    let catalog = registry.read().map_err(stop)?;
    match &args.command {
        GenomeCommand::Init { .. } => Ok(Exit::SUCCESS),
        GenomeCommand::Alias(command) => alias(command, &registry, &catalog, settings, out),
        GenomeCommand::Getseq { genome, locus } => {
            let locus: Locus = assets::name(locus)?;
            let path = RegistryPath {
                genome: Some(assets::name(genome)?),
                asset: assets::name("fasta")?,
                seek_key: None,
                tag: None,
            };
            let fasta =
                catalog.find(&path).and_then(|found| found.seek_data(None)).map_err(stop)?;
            let SeekValue::Path(fasta) = fasta else {
                return Err(Diagnostic::error(
                    Class::Evaluation,
                    format!("`{path}` is not a file"),
                )
                .into());
            };
            match locus.write(&fasta, out) {
                Err(AssetError::Write(error)) => Err(error.into()),
                Err(error) => Err(stop(error)),
                Ok(()) => print::line("", out),
            }
        }
        GenomeCommand::Compare { a, b, json } => {
            let (a, b) = (genome(&catalog, a, settings)?, genome(&catalog, b, settings)?);
            let of = |genome: &GenomeEntry| sequences(&catalog, genome, settings);
            let comparison = Comparison::of(&of(a)?, &of(b)?);
            let flags: Vec<&str> = comparison.flags().collect();
            if *json {
                return print::json(&json!({"flag": comparison.0, "shared": flags}), out);
            }
            let head = [format!("Flag: {}", comparison.0), format!("Binary: {:#b}", comparison.0)];
            print::lines(head, out)?;
            print::lines(flags, out)
        }
    }
}

fn open_or_make(
    config: &Path,
    folder: Option<&Path>,
    servers: &[String],
    settings: &Settings,
    say: &mut impl Write,
) -> Result<Registry, Stop> {
    let opened = match Registry::open(config, &environment::variable) {
        Err(AssetError::NoRegistry { .. }) => {
            let made = Registry::create(config, folder, servers);
            if made.is_ok() && settings.manner.verbosity != Verbosity::Quiet {
                let what = format!("an asset registry at {}", config.display());
                writeln!(
                    say,
                    "{}",
                    settings.manner.style.verb(Role::Guide, "Creating", escape::line(&what))
                )?;
            }
            made
        }
        Ok(_) if folder.is_some() || !servers.is_empty() => {
            Err(AssetError::RegistryThere { path: config.to_owned() })
        }
        opened => opened,
    };
    opened.map_err(|error| assets::stop(&error, settings))
}

fn add(
    registry: &Registry,
    fasta: &Path,
    aliases: &[String],
    description: Option<String>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let aliases = aliases.iter().map(|alias| assets::name(alias)).collect::<Result<_, Stop>>()?;
    let genome = Genome::of_fasta(&settings.cwd.join(fasta));
    let genome = genome.map_err(|error| assets::stop(&error, settings))?;
    let digest = genome.digest.clone();
    let new = NewGenome { genome, aliases, description };
    registry.add_genome(&new).map_err(|error| assets::stop(&error, settings))?;
    print::line(digest, out)
}

fn genome<'c>(
    catalog: &'c Catalog,
    name: &str,
    settings: &Settings,
) -> Result<&'c GenomeEntry, Stop> {
    let name: GenomeName = assets::name(name)?;
    catalog.genome(&name).map_err(|error| assets::stop(&error, settings))
}

fn sequences(
    catalog: &Catalog,
    genome: &GenomeEntry,
    settings: &Settings,
) -> Result<Vec<Sequence>, Stop> {
    let read = catalog.sequences(genome).map_err(|error| assets::stop(&error, settings))?;
    read.ok_or_else(|| {
        let message = format!("the sequences of genome `{}` are not recorded", genome.title());
        let error = Diagnostic::error(Class::Nothing, message);
        error.help("run `wake genome init FASTA` on its FASTA file to record them").into()
    })
}

fn alias(
    command: &AliasCommand,
    registry: &Registry,
    catalog: &Catalog,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let stop = |error: AssetError| assets::stop(&error, settings);
    match command {
        AliasCommand::Get { genomes, json } => {
            let mut shown = Vec::new();
            for name in genomes {
                shown.push(genome(catalog, name, settings)?);
            }
            if genomes.is_empty() {
                shown.extend(catalog.genomes());
            }
            if *json {
                let pairs =
                    shown.iter().map(|genome| (genome.digest.to_string(), json!(genome.aliases)));
                return print::json(&Value::Object(pairs.collect()), out);
            }
            let line = |genome: &&GenomeEntry| {
                let aliases: Vec<&str> = genome.aliases.iter().map(GenomeName::as_str).collect();
                format!("{} {}", genome.digest, aliases.join(" ")).trim_end().to_owned()
            };
            print::lines(shown.iter().map(line), out)
        }
        AliasCommand::Set { genome: name, aliases, force } => {
            let name: GenomeName = genome(catalog, name, settings)?.digest.clone().into();
            let owner = if *force { AliasOwner::Anybody } else { AliasOwner::Nobody };
            for alias in aliases {
                registry.add_alias(&name, &assets::name(alias)?, owner).map_err(stop)?;
            }
            Ok(Exit::SUCCESS)
        }
        AliasCommand::Remove { aliases } => {
            for alias in aliases {
                registry.remove_alias(&assets::name(alias)?).map_err(stop)?;
            }
            Ok(Exit::SUCCESS)
        }
    }
}
