//! `config.toml` of a user: how to reach other machines, mirrors, and where jobs run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use wake_model::Name;
use wake_registry::Address;
use wake_steps::diagnostic::Diagnostic;
use wake_store::ConfinedPath;
use wake_store::ware::{AddressMirror, MOST_AT_ONCE, Route};

use super::clusters::{KubernetesSettings, KubernetesTable, SlurmSettings, SlurmTable};
use super::file::{Fault, SettingsText, unread};
use super::mirrors::{MirrorTable, Texts, address_mirror, is_of_addresses};
use super::span::span;

/// The longest timeout for another machine.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A user's settings, for all workspaces. None of them changes what is built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PersonSettings {
    /// Mirrors of registries, by the registry's name in workspaces: tried in order, before the registry itself.
    pub mirrors: BTreeMap<Name, Vec<Address>>,
    /// Mirrors of files known by content, by address prefix.
    pub address_mirrors: Vec<AddressMirror>,
    /// The proxy for all addresses for which the environment has none.
    pub proxy: Option<String>,
    /// Certificates of additional certificate authorities.
    pub authorities: Option<PathBuf>,
    /// How many files are fetched at once at most.
    pub parallel: Option<usize>,
    /// The timeout for each wait on another machine.
    pub timeout: Option<Duration>,
    /// Settings for submitting jobs to Slurm.
    pub slurm: SlurmSettings,
    /// Settings for submitting jobs to Kubernetes.
    pub kubernetes: KubernetesSettings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonFile {
    #[serde(default)]
    mirrors: MirrorTable,
    #[serde(default)]
    http: HttpTable,
    #[serde(default)]
    slurm: SlurmTable,
    #[serde(default)]
    kubernetes: KubernetesTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTable {
    proxy: Option<Spanned<String>>,
    ca: Option<Spanned<PathBuf>>,
    parallel: Option<Spanned<i64>>,
    timeout: Option<Spanned<String>>,
}

impl PersonSettings {
    /// Reads the file at `path`; without one, nothing is set. Links in the path are followed: it is the user's own.
    pub fn read(path: &Path) -> Result<PersonSettings, Diagnostic> {
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if is_absent(&error) => return Ok(PersonSettings::default()),
            Err(error) => return Err(unread(path, &error)),
        };
        let (Some(dir), Some(name)) = (real.parent(), real.file_name()) else {
            return Err(unread(path, &std::io::ErrorKind::IsADirectory.into()));
        };
        let dir = ConfinedPath::top(dir).map_err(|error| unread(path, &error))?;
        let text = SettingsText::read(&dir.join(name), path.display().to_string())?;
        let beside = path.parent().unwrap_or(Path::new("/"));
        PersonSettings::of(&text.parse()?, beside).map_err(|fault| text.told(fault))
    }

    fn of(file: &PersonFile, beside: &Path) -> Result<PersonSettings, Fault> {
        let PersonFile {
            mirrors,
            http: HttpTable { proxy, ca, parallel, timeout },
            slurm,
            kubernetes,
        } = file;
        let (of_addresses, mirrors): (Vec<_>, Vec<_>) =
            mirrors.iter().partition(|(key, _)| is_of_addresses(key.get_ref()));
        let mirrors = mirrors.into_iter().map(|(registry, texts)| mirror(registry, texts, beside));
        let of_addresses =
            of_addresses.into_iter().map(|(begin, texts)| address_mirror(begin, texts, beside));
        Ok(PersonSettings {
            mirrors: mirrors.collect::<Result<_, _>>()?,
            address_mirrors: of_addresses.collect::<Result<_, _>>()?,
            proxy: proxy.as_ref().map(proxy_of).transpose()?,
            authorities: ca.as_ref().map(|ca| beside.join(ca.get_ref())),
            parallel: parallel.as_ref().map(parallel_of).transpose()?,
            timeout: timeout.as_ref().map(timeout_of).transpose()?,
            slurm: slurm.settings()?,
            kubernetes: kubernetes.settings()?,
        })
    }

    /// Adds these settings to `route`, whose own take precedence.
    pub fn route(&self, route: Route) -> Route {
        Route {
            all_proxy: route.all_proxy.or_else(|| self.proxy.clone()),
            more_authorities: route.more_authorities.or_else(|| self.authorities.clone()),
            at_once: route.at_once.or(self.parallel),
            patience: route.patience.or(self.timeout),
            mirrors: [self.address_mirrors.clone(), route.mirrors].concat(),
            ..route
        }
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn mirror(
    registry: &Spanned<String>,
    texts: &Spanned<Texts>,
    beside: &Path,
) -> Result<(Name, Vec<Address>), Fault> {
    let name = registry.get_ref().parse().map_err(|error| Fault::at(registry, error))?;
    let addresses = texts.get_ref().0.iter().map(|text| Address::parse(text, beside));
    let addresses = addresses.collect::<Result<_, _>>().map_err(|error| Fault::at(texts, error))?;
    Ok((name, addresses))
}

/// Parses a proxy as in environment variables: `http://HOST:PORT`, with an optional scheme.
fn proxy_of(proxy: &Spanned<String>) -> Result<String, Fault> {
    let text = proxy.get_ref();
    let wrong = "`proxy` is not an address such as `http://proxy.example.org:3128`";
    match Route::is_proxy(text) {
        true => Ok(text.clone()),
        false => Err(Fault::at(proxy, wrong)),
    }
}

fn parallel_of(parallel: &Spanned<i64>) -> Result<usize, Fault> {
    let number = *parallel.get_ref();
    let found = usize::try_from(number).ok().filter(|found| (1..=MOST_AT_ONCE).contains(found));
    let wrong = || format!("`parallel` is {number}: expected a number from 1 to {MOST_AT_ONCE}");
    found.ok_or_else(|| Fault::at(parallel, wrong()))
}

fn timeout_of(timeout: &Spanned<String>) -> Result<Duration, Fault> {
    let text = timeout.get_ref();
    let found = span(text).filter(|span| (Duration::from_secs(1)..=LONGEST_WAIT).contains(span));
    let wrong = || format!("`timeout` is `{text}`: expected a time from `1s` to `1h`");
    found.ok_or_else(|| Fault::at(timeout, wrong()))
}
