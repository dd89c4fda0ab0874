//! Information from registries: for a user who looks for a package, and for vendoring.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use wake_model::{Lock, LockedPkg, Name, PkgName, Version};
use wake_registry::{Directory, ListLine, Listed, PkgLog, Registry, Upload, Yank, pack};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Level};
use wake_steps::error::store_failure;
use wake_store::Lookup;

use crate::published::shown_needs;
use crate::registries::{Reach, Registries, registry_failure};
use crate::session::Session;

/// What a registry knows of a version of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PkgAccount {
    /// The package.
    pub name: String,
    /// The version that the rest is about.
    pub version: String,
    /// The registry's name here.
    pub registry: String,
    /// The registry's address.
    pub address: String,
    /// The digest of the tree of its files.
    pub content: String,
    /// The number of its files and links.
    pub files: u64,
    /// The size of its files in bytes.
    pub size: u64,
    /// The version of the `wake` object that it was written for.
    pub api: u32,
    /// When it was published, in seconds since 1970; none if the registry does not say.
    pub at: Option<u64>,
    /// Its description, a sentence.
    pub description: Option<String>,
    /// Its license.
    pub license: Option<String>,
    /// Its source repository.
    pub repository: Option<String>,
    /// Its home page.
    pub homepage: Option<String>,
    /// How to use it, in a few words.
    #[serde(rename = "use")]
    pub usage: Option<String>,
    /// Its keywords.
    pub keywords: Vec<String>,
    /// The names of its modules.
    pub modules: Vec<String>,
    /// Its dependencies, as `NAME REQUIREMENT`, sorted.
    pub needs: Vec<String>,
    /// The reason why it was yanked, if it was.
    pub yanked: Option<String>,
    /// The reason why its archive is gone, if it is.
    pub gone: Option<String>,
    /// Every version, newest first; those that may not be chosen anew are marked.
    pub versions: Vec<String>,
    /// The versions in `wake.lock`.
    pub locked: Vec<String>,
}

/// A package that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundPkg {
    /// The package.
    pub name: String,
    /// Its newest version.
    pub newest: Option<String>,
    /// Its description, a sentence.
    pub about: Option<String>,
    /// The registry's name here.
    pub registry: String,
}

/// The result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchResult {
    /// The packages found: first those with a word in their name.
    pub found: Vec<FoundPkg>,
    /// What was not searched, and why.
    pub warnings: Vec<Diagnostic>,
}

impl Session {
    /// Returns what the registry knows of a version of a package; by default of the newest.
    pub fn account(
        &self,
        name: &PkgName,
        version: Option<&Version>,
        cancel: &Cancel,
    ) -> Result<PkgAccount, Failure> {
        self.registries.count_with(cancel.meter());
        let registry = self.registries.of(name.namespace.as_ref());
        let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
        check_reach(&self.registries)?;
        let meter = self.registries.meter();
        let log = registry.log(name, self.store(), meter).map_err(registry_failure)?;
        let listed = match version {
            Some(version) => log.get(version),
            None => log.newest(),
        };
        let Some(listed) = listed else {
            return Err(self.nothing_listed(name, version, &log, registry.name()).into());
        };
        let lock = self.locked()?;
        let Listed { release, at, yanked, gone, .. } = listed;
        Ok(PkgAccount {
            name: name.to_string(),
            version: release.version.to_string(),
            registry: registry.name().to_string(),
            address: registry.address().to_string(),
            content: release.content.to_string(),
            files: release.files,
            size: release.size,
            api: release.api,
            at: (*at > 0).then_some(*at),
            description: release.description.clone(),
            license: release.license.clone(),
            repository: release.repository.clone(),
            homepage: release.homepage.clone(),
            usage: release.usage.clone(),
            keywords: release.keywords.clone(),
            modules: release.modules.clone(),
            needs: shown_needs(release),
            yanked: yanked.as_ref().map(reason),
            gone: gone.clone(),
            versions: log.versions().rev().map(shown).collect(),
            locked: lock.of_registries(name).map(|pkg| pkg.version.to_string()).collect(),
        })
    }

    /// Searches for packages whose name or description contains all of these words, in the namespaces that the settings, the
    /// lock or the words name.
    pub fn search(&self, words: &[String], cancel: &Cancel) -> Result<SearchResult, Failure> {
        self.registries.count_with(cancel.meter());
        check_reach(&self.registries)?;
        let mut namespaces: BTreeSet<Option<Name>> = self.registries.settings().named().collect();
        namespaces.extend(self.locked()?.iter().map(|pkg| pkg.name.namespace.clone()));
        let typed = words.iter().filter_map(|word| word.split_once('/'));
        namespaces.extend(typed.filter_map(|(namespace, _)| Some(Some(namespace.parse().ok()?))));
        let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let (mut found, mut warnings) = (Vec::new(), Vec::new());
        for namespace in &namespaces {
            let Some(registry) = self.registries.of(namespace.as_ref()) else { continue };
            let listed = registry.list(namespace.as_ref(), self.registries.meter());
            let Some(lines) = listed.map_err(registry_failure)? else {
                warnings.push(untold(registry.name(), namespace.as_ref()));
                continue;
            };
            for line in lines {
                let name = PkgName { namespace: namespace.clone(), name: line.name.clone() };
                let Some(rank) = rank(&name, &line, &words) else { continue };
                let ListLine { about, newest, .. } = line;
                let newest = newest.map(|version| version.to_string());
                let (name, registry) = (name.to_string(), registry.name().to_string());
                found.push((rank, FoundPkg { name, newest, about, registry }));
            }
        }
        found.sort_by(|(rank, one), (other_rank, other)| {
            (rank, &one.name).cmp(&(other_rank, &other.name))
        });
        Ok(SearchResult { found: found.into_iter().map(|(_, found)| found).collect(), warnings })
    }

    /// Makes the directory `dir` a registry with everything in the lock, from all registries; returns what was added.
    pub fn vendor(&self, dir: &Path, cancel: &Cancel) -> Result<Vec<String>, Failure> {
        self.registries.count_with(cancel.meter());
        check_reach(&self.registries)?;
        let checkout = self.look(None);
        let lock = checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        let name: Name = "vendor".parse().map_err(|_| internal())?;
        let directory = Directory::open(dir, &name).map_err(registry_failure)?;
        let mut vendored = Vec::new();
        let missing = lock.iter().filter(|locked| {
            locked.is_of_registry() && !self.store().tree_place(&locked.content).exists()
        });
        self.registries.gauge().expect(missing.count());
        for locked in lock.iter().filter(|locked| locked.is_of_registry()) {
            let trusted = checkout.locked.check_trust(locked, self.store());
            trusted.map_err(|error| Failure::from(*error))?;
            self.vendor_one(locked, &directory)?;
            vendored.push(format!("{} {}", locked.name, locked.version));
        }
        Ok(vendored)
    }

    /// Adds a package with sufficient signatures.
    fn vendor_one(&self, locked: &LockedPkg, directory: &Directory) -> Result<(), Failure> {
        let LockedPkg { name, version, content, .. } = locked;
        let registry = self.registries.of(name.namespace.as_ref());
        let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
        let (store, meter) = (self.store(), self.registries.meter());
        let log = registry.log(name, store, meter).map_err(registry_failure)?;
        let listed = log.get(version).filter(|listed| listed.release.content == *content);
        let Some(listed) = listed else {
            let called = registry.name();
            let message =
                format!("registry `{called}` does not have the locked content of {name} {version}");
            let note = format!("its locked content is {content}");
            return Err(Diagnostic::error(Class::Integrity, message).note(note).into());
        };
        let tree = match store.tree(content).map_err(store_failure)? {
            Lookup::Hit(tree) => tree,
            Lookup::Miss | Lookup::Corrupt(_) => {
                let fetch = || registry.fetch(name, version, content, store, meter);
                let fetched = self.registries.gauge().watch(fetch);
                fetched.map_err(registry_failure)?
            }
        };
        let scratch = store.scratch().map_err(store_failure)?;
        let archive = scratch.path().join("archive");
        let packed = pack(&tree, &archive).map_err(registry_failure)?;
        let (release, sum) = (&listed.release, &packed.archive);
        let signed = self.signed_of(locked, &registry)?;
        let upload = Upload { release, archive: &archive, sum, attestations: &signed };
        directory.publish(&[upload], listed.at).map_err(registry_failure)?;
        if listed.yanked.is_some() {
            let yanked = directory.yank(name, version, listed.yanked.clone(), listed.at);
            yanked.map_err(registry_failure)?;
        }
        Ok(())
    }

    /// Returns all attestations of a package, a line each: from its registry, or the stored copy if that has more.
    fn signed_of(&self, locked: &LockedPkg, registry: &Registry) -> Result<String, Failure> {
        let LockedPkg { name, version, content, .. } = locked;
        let lines = registry.attestations(name, version, self.registries.meter());
        let mut lines = lines.map_err(registry_failure)?;
        let trust = self.registries.trust(name.namespace.as_ref());
        if trust.is_some_and(|trust| trust.check(&lines, content).is_err()) {
            let kept = registry.kept_attestations(name, version, self.store());
            lines.push(b'\n');
            lines.extend(kept.map_err(registry_failure)?);
        }
        Ok(String::from_utf8_lossy(&lines).into_owned())
    }

    /// Returns the lock.
    fn locked(&self) -> Result<Lock, Failure> {
        let checkout = self.look(None);
        let lock = checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        Ok(lock.clone())
    }

    fn nothing_listed(
        &self,
        name: &PkgName,
        version: Option<&Version>,
        log: &PkgLog,
        registry: &Name,
    ) -> Diagnostic {
        if let (Some(version), false) = (version, log.is_empty()) {
            let message = format!("registry `{registry}` has no {name} {version}");
            let versions: Vec<String> = log.versions().rev().map(shown).collect();
            return Diagnostic::error(Class::Resolution, message)
                .note(format!("available versions: {}", versions.join(", ")));
        }
        self.unknown_pkg(name, registry)
    }

    /// Returns the error that a registry has no such package, with a suggestion.
    pub(crate) fn unknown_pkg(&self, name: &PkgName, registry: &Name) -> Diagnostic {
        let message = format!("registry `{registry}` has no {name}");
        let of = self.registries.of(name.namespace.as_ref());
        let names = of.map(|of| of.names(name.namespace.as_ref(), self.registries.meter()));
        let names = names.and_then(Result::ok).unwrap_or_default();
        let names: Vec<String> = names.iter().map(PkgName::to_string).collect();
        let near =
            wake_model::nearest::nearest(&name.to_string(), names.iter().map(String::as_str));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let diagnostic = Diagnostic::error(Class::Resolution, message);
        help.into_iter().fold(diagnostic, Diagnostic::help)
    }
}

/// Returns an error if registries cannot be asked.
pub(crate) fn check_reach(registries: &Registries) -> Result<(), Diagnostic> {
    match registries.reach() {
        Reach::Everything => Ok(()),
        Reach::Nothing => {
            let message = "this command queries registries, but `--offline` does not allow it";
            Err(Diagnostic::error(Class::Network, message))
        }
    }
}

fn untold(registry: &Name, namespace: Option<&Name>) -> Diagnostic {
    let of = namespace.map_or_else(String::new, |name| format!(" of `{name}`"));
    let message = format!("registry `{registry}` does not list its packages{of}");
    let diagnostic = Diagnostic::error(Class::Network, message)
        .note("a container registry has no list of packages")
        .help("run `wake info NAMESPACE/NAME` for a package that you know by name");
    Diagnostic { level: Level::Warning, ..diagnostic }
}

fn internal() -> Diagnostic {
    Diagnostic::error(Class::Internal, "a valid name was rejected")
}

fn reason(yank: &Yank) -> String {
    match &yank.instead {
        Some(instead) => format!("{}; use {instead}", yank.reason),
        None => yank.reason.clone(),
    }
}

fn shown(listed: &Listed) -> String {
    let version = &listed.release.version;
    match (&listed.gone, &listed.yanked) {
        (Some(reason), _) => format!("{version} (gone: {reason})"),
        (None, Some(yank)) => format!("{version} (yanked: {})", yank.reason),
        (None, None) => version.to_string(),
    }
}

/// Returns how well a package matches; none if it does not.
fn rank(name: &PkgName, line: &ListLine, words: &[String]) -> Option<usize> {
    let about = line.about.as_deref().unwrap_or_default().to_lowercase();
    let name = name.to_string();
    let is_here = |word: &String| name.contains(&**word) || about.contains(&**word);
    if !words.iter().all(is_here) {
        return None;
    }
    Some(words.iter().filter(|word| !name.contains(&***word)).count())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_word_must_match_and_names_rank_first() {
        let line = |name: &str, about: &str| ListLine {
            name: name.parse().unwrap(),
            about: Some(about.to_owned()),
            newest: None,
        };
        let rank_of = |name: &str, about: &str, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let pkg = format!("acme/{name}").parse().unwrap();
            rank(&pkg, &line(name, about), &words)
        };
        assert_eq!(rank_of("http", "Speaks HTTP", &["http"]), Some(0));
        assert_eq!(rank_of("web", "Speaks HTTP", &["http"]), Some(1));
        assert_eq!(rank_of("web", "Speaks HTTP", &["acme/web", "speaks"]), Some(1));
        assert_eq!(rank_of("web", "Speaks HTTP", &["http", "tls"]), None);
    }
}
