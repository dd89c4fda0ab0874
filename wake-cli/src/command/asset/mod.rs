//! `wake asset`: finding, adding and removing the assets of a registry.
//!
//! | file | has |
//! |---|---|
//! | `places` | the places to pull assets from |
//! | `list` | listing local and remote assets |

mod places;
mod list;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use wake_asset::{
    Address, AssetError, AssetId, Catalog, Excluded, Existing, Found, Pulled, Pushed, Registration,
    Registry, RegistryPath, Relatives, SeekEntry, SeekType, SeekValue, Tag, populate,
};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::ware::{Meter, Web};

use self::places::Places;
use crate::args::{AddAssetArgs, AssetArgs, AssetCommand};
use crate::assets;
use crate::clock;
use crate::environment::Environment;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::report::transfer::Transfer;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// Runs a `wake asset` subcommand.
pub(crate) fn run(
    args: &AssetArgs,
    settings: &Settings,
    environment: &Environment,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let open = || assets::open(&args.registry, settings, environment);
    if let AssetCommand::List { genomes, from: Some(from), json } = &args.command {
        let places = match from {
            Some(from) => Places::one(from, settings)?,
            None => Places::servers(&open()?, settings)?,
        };
        return list::there(&places, genomes, *json, settings, out);
    }
    let registry = open()?;
    let call = Call { registry: &registry, settings };
    match &args.command {
        AssetCommand::Seek { assets, unchecked, data, json } => {
            let lines = call.seek(assets, *unchecked, *data, *json)?;
            print::lines(lines, out)
        }
        AssetCommand::List { genomes, json, from: _ } => {
            list::here(&call.catalog()?, genomes, *json, settings, out)
        }
        AssetCommand::Id { assets, tree } => print::lines(call.ids(assets, *tree)?, out),
        AssetCommand::Tag { asset, to, default, force } => {
            call.tag(asset, to.as_deref(), *default, *force)?;
            Ok(Exit::SUCCESS)
        }
        AssetCommand::Add(args) => {
            let (title, size) = call.add(args)?;
            tell(settings, say, "Registered", &format!("{title}, {}", words::bytes(size)))
        }
        AssetCommand::Remove { assets, force } => {
            let relatives = if *force { Relatives::Forget } else { Relatives::Keep };
            for title in call.remove(assets, relatives)? {
                tell(settings, say, "Removed", &title)?;
            }
            Ok(Exit::SUCCESS)
        }
        AssetCommand::Pull { assets, from, force } => {
            call.pull(assets, from.as_deref(), existing(*force), say)?;
            Ok(Exit::SUCCESS)
        }
        AssetCommand::Push { assets, to, force } => {
            call.push(assets, to, existing(*force), say)?;
            Ok(Exit::SUCCESS)
        }
        AssetCommand::Populate { file } => print::text(&call.populate(file.as_deref())?, out),
    }
}

struct Call<'a> {
    registry: &'a Registry,
    settings: &'a Settings,
}

impl Call<'_> {
    fn stop(&self, error: &AssetError) -> Stop {
        assets::stop(error, self.settings)
    }

    fn catalog(&self) -> Result<Catalog, Stop> {
        self.registry.read().map_err(|error| self.stop(&error))
    }

    fn path(&self, text: &str) -> Result<RegistryPath, Stop> {
        assets::path(text, self.settings)
    }

    fn find<'c>(&self, catalog: &'c Catalog, text: &str) -> Result<Found<'c>, Stop> {
        catalog.find(&self.path(text)?).map_err(|error| self.stop(&error))
    }

    fn seek(
        &self,
        assets: &[String],
        unchecked: bool,
        data: bool,
        json: bool,
    ) -> Result<Vec<String>, Stop> {
        let catalog = self.catalog()?;
        let one = |text: &String| {
            let path = self.path(text)?;
            let key = path.seek_key.as_ref();
            let sought = catalog.find(&path).and_then(|found| match (data, unchecked) {
                (true, _) => found.seek_data(key),
                (false, true) => found.seek(key),
                (false, false) => found.seek_there(key),
            });
            let value = sought.map_err(|error| self.stop(&error))?;
            Ok(match json {
                true => {
                    escape::json(&json!({"asset": text, "value": value_of(&value)}).to_string())
                        .to_string()
                }
                false => shown(&value),
            })
        };
        assets.iter().map(one).collect()
    }

    fn ids(&self, assets: &[String], tree: bool) -> Result<Vec<String>, Stop> {
        let catalog = self.catalog()?;
        let one = |text: &String| {
            let found = self.find(&catalog, text)?;
            let digest = match (tree, &found.entry.tree) {
                (false, _) => found.digest().map(|digest| digest.to_string()),
                (true, Some(tree)) => Ok(tree.clone()),
                (true, None) => wake_asset::measure(&found.data_dir(), &Excluded::default())
                    .map(|measured| measured.tree.to_string()),
            };
            digest.map_err(|error| self.stop(&error))
        };
        assets.iter().map(one).collect()
    }

    fn tag(&self, asset: &str, to: Option<&str>, default: bool, force: bool) -> Result<(), Stop> {
        let catalog = self.catalog()?;
        let mut id = self.find(&catalog, asset)?.id;
        if let Some(to) = to {
            let to: Tag = assets::name(to)?;
            self.registry.retag(&id, &to, existing(force)).map_err(|error| self.stop(&error))?;
            id.tag = to;
        }
        match default {
            true => self.registry.set_default_tag(&id).map_err(|error| self.stop(&error)),
            false => Ok(()),
        }
    }

    fn remove(&self, assets: &[String], relatives: Relatives) -> Result<Vec<String>, Stop> {
        let catalog = self.catalog()?;
        let found: Vec<Found<'_>> =
            assets.iter().map(|text| self.find(&catalog, text)).collect::<Result<_, _>>()?;
        let one = |found: &Found<'_>| {
            self.registry.remove(&found.id, relatives).map_err(|error| self.stop(&error))?;
            Ok(found.title())
        };
        found.iter().map(one).collect()
    }

    fn pull(
        &self,
        assets: &[String],
        from: Option<&str>,
        existing: Existing,
        say: &mut impl Write,
    ) -> Result<(), Stop> {
        let places = match from {
            Some(from) => Places::one(from, self.settings)?,
            None => Places::servers(self.registry, self.settings)?,
        };
        let cancel = session::cancel()?;
        let (web, meter) = (Web::new(self.settings.route.clone()), cancel.meter());
        for asset in assets {
            let path = self.path(asset)?;
            let transfer = Transfer::show(self.settings, "Pulling", meter);
            let pulled = self.pull_one(&path, &places, existing, &web, meter);
            drop(transfer);
            match pulled.map_err(|error| self.stop(&error))? {
                Pulled::New(done) => {
                    let what = format!("{asset}, {}", words::bytes(done.size));
                    tell(self.settings, say, "Registered", &what)?;
                }
                Pulled::There(_) => {
                    tell(self.settings, say, "Unchanged", asset)?;
                }
            }
        }
        Ok(())
    }

    /// Pulls an asset from the first place that has it.
    fn pull_one(
        &self,
        path: &RegistryPath,
        places: &Places,
        existing: Existing,
        web: &Web,
        meter: &Meter,
    ) -> Result<Pulled, AssetError> {
        let now = clock::now();
        let pull = |place: &Address| self.registry.pull(path, place, existing, now, web, meter);
        let Places { first, others } = places;
        let mut pulled = pull(first);
        for place in others {
            // Only a missing asset leads to the next place.
            if !matches!(pulled, Err(AssetError::Missing(_))) {
                break;
            }
            pulled = pull(place);
        }
        pulled
    }

    fn push(
        &self,
        assets: &[String],
        to: &str,
        existing: Existing,
        say: &mut impl Write,
    ) -> Result<(), Stop> {
        let address = assets::address(to, self.settings)?;
        let cancel = session::cancel()?;
        let (web, meter) = (Web::new(self.settings.route.clone()), cancel.meter());
        for asset in assets {
            let path = self.path(asset)?;
            let transfer = Transfer::show(self.settings, "Pushing", meter);
            let pushed = self.registry.push(&path, &address, existing, &web, meter);
            drop(transfer);
            match pushed.map_err(|error| self.stop(&error))? {
                Pushed::New { size } => {
                    let what = format!("{asset}, {}", words::bytes(size));
                    tell(self.settings, say, "Pushed", &what)?;
                }
                Pushed::There => {
                    tell(self.settings, say, "Unchanged", asset)?;
                }
            }
        }
        Ok(())
    }

    fn populate(&self, file: Option<&Path>) -> Result<String, Stop> {
        let (name, read) = match file {
            None => ("standard input".to_owned(), read_all(std::io::stdin())),
            Some(file) => {
                let place = self.settings.cwd.join(file);
                (file.display().to_string(), fs::File::open(&place).and_then(read_all))
            }
        };
        let text = read
            .map_err(|error| Diagnostic::error(Class::Environment, format!("`{name}`: {error}")))?;
        let catalog = self.catalog()?;
        let value = |path: &RegistryPath| {
            let found = catalog.find(path)?;
            found.seek(path.seek_key.as_ref()).map(|value| shown(&value))
        };
        populate(&text, value).map_err(|(line, error)| {
            let diagnostic = assets::failure(&error, self.settings);
            Diagnostic { message: format!("{name}:{line}: {}", diagnostic.message), ..diagnostic }
                .into()
        })
    }

    fn add(&self, args: &AddAssetArgs) -> Result<(String, u64), Stop> {
        let path = self.path(&args.asset)?;
        if path.seek_key.is_some() {
            let error = Diagnostic::error(Class::Usage, format!("`{path}` names part of an asset"));
            return Err(error.help("declare its parts with `--seek-keys`").into());
        }
        let catalog = self.catalog()?;
        let genome = path
            .genome
            .clone()
            .ok_or_else(|| self.stop(&AssetError::NoGenome { path: path.to_string() }))?;
        let genome = catalog.genome(&genome).map_err(|error| self.stop(&error))?;
        let tree = self.settings.cwd.join(&args.path);
        let file = self.file_name(&tree)?;
        let asset = path.asset.clone();
        let parents = args.parents.iter().map(|parent| Ok(self.find(&catalog, parent)?.id));
        let registration = Registration {
            id: AssetId {
                genome: genome.digest.clone(),
                asset,
                tag: path.tag.clone().unwrap_or_default(),
            },
            seek_keys: seek_keys(args.seek_keys.as_deref(), &tree, file.as_deref(), &path)?,
            tree,
            class: args.class.as_deref().map(assets::name).transpose()?,
            description: args.description.clone(),
            tag_description: args.tag_description.clone(),
            parents: parents.collect::<Result<_, Stop>>()?,
            custom_properties: Vec::new(),
            build: None,
            excluded: Excluded::default(),
            built: clock::now(),
            existing: existing(args.force),
            genome: None,
        };
        let done = self.registry.register(&registration).map_err(|error| self.stop(&error))?;
        Ok((format!("{}/{}:{}", genome.title(), done.id.asset, done.id.tag), done.size))
    }

    /// Returns the name of the asset's file, if it is a file.
    fn file_name(&self, given: &Path) -> Result<Option<String>, Stop> {
        let metadata = fs::metadata(given).map_err(|error| {
            let class = match error.kind() {
                std::io::ErrorKind::NotFound => Class::Nothing,
                _ => Class::Environment,
            };
            Diagnostic::error(class, format!("`{}`: {error}", given.display()))
        })?;
        let name = given.file_name().and_then(|name| name.to_str());
        Ok(name.filter(|_| metadata.is_file()).map(str::to_owned))
    }
}

fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Refuse }
}

fn tell(settings: &Settings, say: &mut impl Write, verb: &str, what: &str) -> Outcome {
    if settings.manner.verbosity != Verbosity::Quiet {
        writeln!(say, "{}", settings.manner.style.verb(Role::Guide, verb, escape::line(what)))?;
    }
    Ok(Exit::SUCCESS)
}

fn read_all(mut source: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    source.read_to_string(&mut text)?;
    Ok(text)
}

/// Parses the given seek keys. The default is the asset's own key, which finds its directory or file.
fn seek_keys(
    text: Option<&str>,
    tree: &Path,
    file: Option<&str>,
    path: &RegistryPath,
) -> Result<Vec<SeekEntry>, Stop> {
    let wrong =
        |problem: String| Diagnostic::error(Class::Usage, format!("`--seek-keys`: {problem}"));
    let Some(text) = text else {
        let value = file.unwrap_or(".").to_owned();
        let kind = if file.is_some() { SeekType::File } else { SeekType::Directory };
        return Ok(vec![SeekEntry { key: assets::name(path.asset.as_str())?, kind, value }]);
    };
    let read: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let Value::Object(members) = read else {
        return Err(wrong("expected one JSON object".to_owned()).into());
    };
    let one = |(key, value): (&String, &Value)| {
        let no_value = || wrong(format!("`{key}` has no string `value`"));
        let (text, kind) = match value {
            Value::String(text) => (text, None),
            value => {
                let kind = value["type"].as_str();
                let kind = kind.map(|kind| {
                    kind.parse::<SeekType>()
                        .map_err(|_| wrong(format!("`{kind}` is not a seek key type")))
                });
                let Value::String(text) = &value["value"] else { return Err(no_value().into()) };
                (text, kind.transpose()?)
            }
        };
        let kind = kind.unwrap_or_else(|| SeekType::guess(tree, text));
        Ok(SeekEntry { key: assets::name(key)?, kind, value: text.clone() })
    };
    members.iter().map(one).collect()
}

fn shown(value: &SeekValue) -> String {
    match value {
        SeekValue::Path(path) => path.display().to_string(),
        SeekValue::Value(Value::String(text)) => text.clone(),
        SeekValue::Value(value) => value.to_string(),
    }
}

fn value_of(value: &SeekValue) -> Value {
    match value {
        SeekValue::Path(path) => path.display().to_string().into(),
        SeekValue::Value(value) => value.clone(),
    }
}
