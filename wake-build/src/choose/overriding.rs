//! The packages of the workspace that override published ones.

use std::collections::BTreeMap;

use wake_model::{Lock, PkgName, RelPath, Version};
use wake_steps::diagnostic::Diagnostic;

use crate::load::Loaded;
use crate::pkg_place::PkgPlace;
use crate::settings::Overrides;
use crate::workspace::Workspace;

/// The packages of the workspace that override published ones, as if they were the only versions in registries.
pub(super) struct Overriding<'a> {
    pub(super) overrides: &'a Overrides,
    pub(super) versions: BTreeMap<&'a PkgName, Version>,
}

impl<'a> Overriding<'a> {
    pub(super) fn of(workspace: &'a Workspace, loaded: &'a Loaded) -> Overriding<'a> {
        let overrides = &workspace.settings.overrides;
        let version = |(name, dir): (&'a PkgName, &RelPath)| {
            let pkg = loaded.get(&PkgPlace::Checkout(dir.clone()))?;
            Some((name, pkg.decl.info.version.clone()))
        };
        Overriding { overrides, versions: overrides.iter().filter_map(version).collect() }
    }

    /// Returns the version of the package that overrides the one of this name.
    pub(super) fn of_name(&self, name: &PkgName) -> Option<&Version> {
        self.versions.get(name)
    }

    /// Returns the lock without packages that are overridden.
    pub(super) fn without(&self, lock: &Lock) -> Lock {
        lock.iter().filter(|pkg| self.of_name(&pkg.name).is_none()).cloned().collect()
    }

    /// Adds notes about the overridden packages that a message names.
    pub(super) fn named_in(&self, diagnostic: Diagnostic) -> Diagnostic {
        let texts = diagnostic.notes.iter().chain([&diagnostic.message]);
        let texts: Vec<String> = texts.cloned().collect();
        let is_named = |name: &PkgName| {
            let name = name.to_string();
            texts.iter().any(|text| text.split([' ', ',']).any(|word| word == name))
        };
        let named = self.versions.iter().filter(|(name, _)| is_named(name));
        named.fold(diagnostic, |diagnostic, (name, version)| {
            let Some(instead) = self.overrides.of(name) else { return diagnostic };
            diagnostic.note(format!(
                "//{} {version} stands in for {name}: {}",
                instead.dir.as_str(),
                instead.name_at
            ))
        })
    }
}
