//! `wake.toml`: where and how fast to build; only `overrides` decides what.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use wake_steps::MOST_JOBS;
use wake_steps::diagnostic::Diagnostic;
use wake_store::ConfinedPath;
use wake_store::ware::AddressMirror;

use super::file::{Fault, SettingsText, Table};
use super::mirrors::{MirrorTable, address_mirror};
use super::overrides::Overrides;
use super::registries::{RegistryEntry, RegistrySettings};
use super::span::span;
use super::trust::TrustTable;

/// The settings of a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Globs of member directories; none: every package below the root.
    pub members: Option<Vec<String>>,
    /// How many commands run at once.
    pub jobs: Option<usize>,
    /// Where the store is, relative to the file.
    pub store: Option<PathBuf>,
    /// The registries.
    pub registries: RegistrySettings,
    /// Mirrors of files known by content, by address prefix.
    pub mirrors: Vec<AddressMirror>,
    /// The minimum age of a version that is chosen anew.
    pub min_age: Option<Duration>,
    /// Packages of the workspace that stand in for published ones.
    pub overrides: Overrides,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    #[serde(default)]
    workspace: WorkspaceTable,
    #[serde(default)]
    build: BuildTable,
    #[serde(default)]
    registries: Table<RegistryEntry>,
    #[serde(default)]
    namespaces: Table,
    #[serde(default)]
    trust: Table<TrustTable>,
    #[serde(default)]
    mirrors: MirrorTable,
    #[serde(default)]
    resolve: ResolveTable,
    #[serde(default)]
    overrides: Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ResolveTable {
    min_age: Option<Spanned<String>>,
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

/// A number of parallel commands that the flag would accept, too.
struct Jobs(u16);

impl<'de> Deserialize<'de> for Jobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Jobs, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let jobs = u16::try_from(number).ok().filter(|jobs| (1..=MOST_JOBS).contains(jobs));
        let wrong = || format!("`jobs` is {number}: expected a number from 1 to {MOST_JOBS}");
        jobs.map(Jobs).ok_or_else(|| D::Error::custom(wrong()))
    }
}

impl Settings {
    /// Reads the file at `path`.
    pub(crate) fn read(file: &ConfinedPath) -> Result<Settings, Diagnostic> {
        let path = file.path();
        let shown = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let text = SettingsText::read(file, shown.unwrap_or_default())?;
        let SettingsFile {
            workspace,
            build,
            registries,
            namespaces,
            trust,
            mirrors,
            resolve,
            overrides,
        } = text.parse()?;
        let dir = path.parent().unwrap_or(Path::new("/"));
        let beside = |store: PathBuf| dir.join(store);
        let registries = RegistrySettings::new(&registries, &namespaces, &trust, dir);
        let mirrors = mirrors.iter().map(|(begin, texts)| address_mirror(begin, texts, dir));
        let mirrors = mirrors.collect::<Result<_, _>>();
        Ok(Settings {
            mirrors: mirrors.map_err(|fault| text.told(fault))?,
            members: workspace.members,
            jobs: build.jobs.map(|Jobs(jobs)| jobs.into()),
            store: build.store.map(beside),
            registries: registries.map_err(|fault| text.told(fault))?,
            min_age: min_age(&resolve).map_err(|fault| text.told(fault))?,
            overrides: Overrides::read(&overrides, &text).map_err(|fault| text.told(fault))?,
        })
    }
}

fn min_age(resolve: &ResolveTable) -> Result<Option<Duration>, Fault> {
    let Some(text) = &resolve.min_age else { return Ok(None) };
    let wrong =
        || format!("`min-age` is `{}`: expected a duration such as `3d` or `12h`", text.get_ref());
    span(text.get_ref()).map(Some).ok_or_else(|| Fault::at(text, wrong()))
}
