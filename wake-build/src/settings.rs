//! `wake.toml`: where and how fast to build, never what.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use wake_model::Name;
use wake_model::nearest::nearest;
use wake_registry::Address;
use wake_steps::MOST_JOBS;
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_store::ConfinedPath;

/// Bytes of a file that nobody writes by hand.
const LARGEST: u64 = 1 << 20;

/// The settings of a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Globs of member directories; none: every package below the root.
    pub members: Option<Vec<String>>,
    /// How many commands run at once.
    pub jobs: Option<usize>,
    /// Where the store is, relative to the file.
    pub store: Option<PathBuf>,
    /// Where published packages come from.
    pub registries: RegistrySettings,
}

/// Where published packages come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegistrySettings {
    /// Each registry's address, by what it is called here.
    pub addresses: BTreeMap<Name, Address>,
    /// Which registry has the packages of a namespace, and nobody else.
    namespaces: BTreeMap<Namespace, Name>,
}

/// A key of `[namespaces]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Namespace {
    /// `""`: packages that have none.
    None,
    /// `*`: every one that is not named.
    Other,
    Named(Name),
}

impl RegistrySettings {
    /// The registry that has the packages of a namespace.
    pub fn of(&self, namespace: Option<&Name>) -> Option<&Name> {
        let own = namespace.map_or(Namespace::None, |name| Namespace::Named(name.clone()));
        let other = || self.namespaces.get(&Namespace::Other).filter(|_| namespace.is_some());
        self.namespaces.get(&own).or_else(other)
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    #[serde(default)]
    workspace: WorkspaceTable,
    #[serde(default)]
    build: BuildTable,
    #[serde(default)]
    registries: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    namespaces: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkspaceTable {
    members: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildTable {
    jobs: Option<Jobs>,
    store: Option<PathBuf>,
}

/// A number of commands at once that the flag would take, too.
struct Jobs(u16);

impl<'de> Deserialize<'de> for Jobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Jobs, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let jobs = u16::try_from(number).ok().filter(|jobs| (1..=MOST_JOBS).contains(jobs));
        let wrong = || format!("`jobs` is {number}; it may be 1 to {MOST_JOBS}");
        jobs.map(Jobs).ok_or_else(|| D::Error::custom(wrong()))
    }
}

impl Settings {
    /// Reads the file at `path`.
    pub(crate) fn read(file: &ConfinedPath) -> Result<Settings, Diagnostic> {
        let path = &file.path();
        let fault = |source: std::io::Error| {
            // A refusal says itself where.
            let at = source
                .get_ref()
                .map_or_else(|| format!("`{}`: ", path.display()), |_| String::new());
            Diagnostic::error(Class::Environment, format!("{at}{source}"))
        };
        let text = file.read(LARGEST).map_err(fault)?;
        let text = String::from_utf8(text).map_err(|_| {
            Diagnostic::error(Class::Usage, format!("`{}` is not valid UTF-8", path.display()))
        })?;
        let SettingsFile { workspace, build, registries, namespaces } =
            toml::from_str(&text).map_err(|error| located(path, &text, &error))?;
        let dir = path.parent().unwrap_or(Path::new("/"));
        let beside = |store: PathBuf| dir.join(store);
        let registries = registry_settings(registries, namespaces, dir).map_err(|fault| {
            let RegistryFault { message, span, help } = fault;
            let place = place(file_name(path), &text, span);
            let diagnostic = Diagnostic::error(Class::Usage, message).at(Some(place));
            help.into_iter().fold(diagnostic, Diagnostic::help)
        })?;
        Ok(Settings {
            members: workspace.members,
            jobs: build.jobs.map(|Jobs(jobs)| jobs.into()),
            store: build.store.map(beside),
            registries,
        })
    }
}

/// What is wrong in the tables of registries, and where.
struct RegistryFault {
    message: String,
    span: Range<usize>,
    help: Option<String>,
}

impl RegistryFault {
    fn of(text: &Spanned<String>, message: impl ToString) -> RegistryFault {
        RegistryFault { message: message.to_string(), span: text.span(), help: None }
    }
}

fn registry_settings(
    registries: BTreeMap<Spanned<String>, Spanned<String>>,
    namespaces: BTreeMap<Spanned<String>, Spanned<String>>,
    dir: &Path,
) -> Result<RegistrySettings, RegistryFault> {
    let mut settings = RegistrySettings::default();
    for (name, address) in &registries {
        let called = name.get_ref().parse().map_err(|error| RegistryFault::of(name, error))?;
        let address = Address::parse(address.get_ref(), dir)
            .map_err(|error| RegistryFault::of(address, error))?;
        settings.addresses.insert(called, address);
    }
    for (namespace, registry) in &namespaces {
        let of = match namespace.get_ref().as_str() {
            "" => Namespace::None,
            "*" => Namespace::Other,
            named => {
                let name = named.parse();
                Namespace::Named(name.map_err(|error| RegistryFault::of(namespace, error))?)
            }
        };
        let known = registry.get_ref().parse::<Name>().ok();
        let Some(known) = known.filter(|name| settings.addresses.contains_key(name)) else {
            let message = format!("no registry is called `{}`", registry.get_ref());
            let near = nearest(registry.get_ref(), settings.addresses.keys().map(Name::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "say where it is: `[registries]` `{} = \"ADDRESS\"`",
                    registry.get_ref()
                ),
            };
            return Err(RegistryFault { help: Some(help), ..RegistryFault::of(registry, message) });
        };
        settings.namespaces.insert(of, known);
    }
    Ok(settings)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn located(path: &Path, text: &str, error: &toml::de::Error) -> Diagnostic {
    let file = file_name(path);
    let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
    let place = error.span().map(|span| place(file, text, span));
    Diagnostic::error(Class::Usage, message).at(place)
}

fn place(file: String, text: &str, span: std::ops::Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let source_line = text[line_start..].lines().next().unwrap_or("").to_owned();
    let column = before[line_start..].chars().count() + 1;
    let width =
        text.get(span).map_or(1, |found| found.lines().next().unwrap_or("").chars().count());
    Place {
        file,
        line: before.matches('\n').count() + 1,
        column,
        end_column: column + width.max(1),
        source_line,
        label: None,
    }
}
