//! What registries offer, as the solver sees it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wake_eval::API_VERSION;
use wake_model::lock::LockSource;
use wake_model::release::NeedSource;
use wake_model::{LOCK_FILE, Lock, LockedPkg, Name, PkgName};
use wake_registry::{Listed, PkgLog, Registry};
use wake_solve::{Need, Release, Standing, Universe};
use wake_steps::clock;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use super::overriding::Overriding;
use crate::registries::{Registries, registry_failure};
use crate::workspace::{WORKSPACE_FILE, Workspace};

/// What registries offer, checked against the lock.
pub(super) struct Published<'a> {
    pub(super) registries: &'a Registries,
    pub(super) store: &'a Store,
    pub(super) before: &'a Lock,
    /// The minimum age of versions.
    pub(super) age: Option<Age<'a>>,
    /// Earlier answers; failures are not asked again either.
    pub(super) answers: Mutex<HashMap<PkgName, Answer>>,
    /// The packages that are overridden.
    pub(super) overriding: Overriding<'a>,
}

/// The minimum age of a version that is chosen anew.
pub(super) struct Age<'a> {
    /// Seconds.
    least: u64,
    /// Seconds since 1970.
    now: u64,
    /// Packages that are exempt.
    free: &'a [PkgName],
    /// The command for hints.
    command: &'static str,
}

impl<'a> Age<'a> {
    /// Returns the minimum age from the settings, with the packages in `free` exempt; none if it is not set.
    pub(super) fn of(
        workspace: &Workspace,
        free: &'a [PkgName],
        command: &'static str,
    ) -> Option<Age<'a>> {
        let least = workspace.settings.min_age?.as_secs();
        Some(Age { least, now: clock::unix_ms() / 1000, free, command })
    }
}

/// The log of a package, and the registry that has it.
pub(super) type Answer = Result<(Arc<Registry>, Arc<PkgLog>), Box<Diagnostic>>;

impl Published<'_> {
    /// Marks a version that is too young to be chosen anew. Not every registry gives the time of publication.
    fn of_age(&self, name: &PkgName, listed: &Listed, release: Release) -> Release {
        let Some(age) = self.age.as_ref().filter(|age| !age.free.contains(name)) else {
            return release;
        };
        let is_young = listed.at > 0 && listed.at.saturating_add(age.least) > age.now;
        let is_locked =
            || self.before.of_registries(name).any(|locked| locked.version == release.version);
        if !is_young || release.standing != Standing::Usable || is_locked() {
            return release;
        }
        let command = age.command;
        let because = format!(
            "too young for `min-age` of `{WORKSPACE_FILE}`; use `wake {command} --now {name}` to allow it"
        );
        Release { standing: Standing::OnlyLocked { because }, ..release }
    }

    pub(super) fn log(&self, name: &PkgName) -> Answer {
        let answers = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers().get(name) {
            return answer.clone();
        }
        let answer = self.ask(name);
        answers().insert(name.clone(), answer.clone());
        answer
    }

    /// Returns which registry was asked for a package that it does not have.
    pub(super) fn asked_in_vain(&self, name: &PkgName) -> Option<String> {
        let (registry, log) = self.log(name).ok()?;
        let namespace = name.namespace.as_ref().map_or("", Name::as_str);
        log.is_empty().then(|| {
            let called = registry.name();
            format!(
                "`[namespaces]` assigns `{namespace}` to `{called}`; no other registry was asked"
            )
        })
    }

    fn ask(&self, name: &PkgName) -> Answer {
        let registry = self.registries.of(name.namespace.as_ref());
        let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
        let log = registry.log(name, self.store, self.registries.meter());
        let log = log.map_err(registry_failure)?;
        self.check(name, &registry, &log)?;
        Ok((registry, log))
    }

    /// Checks that the registry still has what the lock recorded from it.
    fn check(
        &self,
        name: &PkgName,
        registry: &Registry,
        log: &PkgLog,
    ) -> Result<(), Box<Diagnostic>> {
        let of_it = |pkg: &&LockedPkg| pkg.source == LockSource::Registry(registry.name().clone());
        for locked in self.before.of_registries(name).filter(of_it) {
            let (version, called) = (&locked.version, registry.name());
            let message = match log.get(version) {
                Some(listed) if listed.release.content == locked.content => continue,
                Some(listed) => format!(
                    "registry `{called}` has {name} {version} with content {}, but `{LOCK_FILE}` has {}",
                    listed.release.content, locked.content
                ),
                None => format!(
                    "registry `{called}` no longer has {name} {version}, which `{LOCK_FILE}` takes from it"
                ),
            };
            let diagnostic = Diagnostic::error(Class::Integrity, message)
                .help("ask the registry's operator what happened to it")
                .help(format!("remove its line from `{LOCK_FILE}` to choose another version"));
            return Err(Box::new(diagnostic));
        }
        Ok(())
    }
}

impl Universe for Published<'_> {
    type Error = Box<Diagnostic>;

    fn releases(&self, name: &PkgName) -> Result<Option<Vec<Release>>, Box<Diagnostic>> {
        if let Some(version) = self.overriding.of_name(name) {
            // Its own dependencies are required like those of members.
            let (needs, standing) = (Vec::new(), Standing::Usable);
            return Ok(Some(vec![Release { version: version.clone(), needs, standing }]));
        }
        let (registry, log) = self.log(name)?;
        let trust = self.registries.trust(name.namespace.as_ref());
        let mut releases = Vec::new();
        for listed in log.versions() {
            let mut release = self.of_age(name, listed, release(listed));
            let is_usable = !matches!(release.standing, Standing::Unusable { .. });
            if trust.is_some() && is_usable {
                let is_signed = registry.is_signed(name, listed, self.registries.meter());
                if !is_signed.map_err(registry_failure)? {
                    release.standing = unsigned(name);
                }
            }
            releases.push(release);
        }
        Ok((!log.is_empty()).then_some(releases))
    }

    fn names(&self, namespace: Option<&Name>) -> Result<Vec<Name>, Box<Diagnostic>> {
        let Some(registry) = self.registries.of(namespace) else { return Ok(Vec::new()) };
        let names = registry.names(namespace, self.registries.meter()).map_err(registry_failure)?;
        Ok(names.into_iter().map(|pkg| pkg.name).collect())
    }

    fn expect(&self, names: &[&PkgName]) {
        let is_asked = |name: &&&PkgName| self.overriding.of_name(name).is_none();
        let names: Vec<&PkgName> = names.iter().filter(is_asked).copied().collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Errors are found again and reported when the log is needed.
                let _ = self.log(name);
            }
        };
        std::thread::scope(|scope| {
            (0..names.len().min(self.registries.at_once())).for_each(|_| drop(scope.spawn(work)));
        });
    }
}

/// The standing of an unsigned version where signatures are required.
fn unsigned(name: &PkgName) -> Standing {
    let namespace = name.namespace.as_ref().map_or("\"\"", Name::as_str);
    Standing::Unusable {
        because: "unsigned".to_owned(),
        help: Some(format!(
            "`[trust]` in `{WORKSPACE_FILE}` requires signatures for `{namespace}`"
        )),
    }
}

fn release(listed: &Listed) -> Release {
    let release = &listed.release;
    let needs = release.pkgs.values().filter(|need| need.from == NeedSource::Registry);
    let standing = match listed {
        Listed { gone: Some(reason), .. } => {
            Standing::Unusable { because: format!("gone: {reason}"), help: None }
        }
        _ if release.api > API_VERSION => Standing::Unusable {
            because: format!(
                "written for a newer wake (version {} of the `wake` object)",
                release.api
            ),
            help: Some(format!("use a newer wake for {}", release.version)),
        },
        Listed { yanked: Some(yank), .. } => {
            Standing::OnlyLocked { because: format!("yanked: {}", yank.reason) }
        }
        _ => Standing::Usable,
    };
    Release {
        version: release.version.clone(),
        needs: needs
            .map(|need| {
                let request = need.request();
                Need { name: request.pkg_name(), requirement: request.version }
            })
            .collect(),
        standing,
    }
}
