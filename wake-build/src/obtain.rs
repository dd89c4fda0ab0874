//! Published packages for callers that want their files without a workspace that depends on them.

use std::path::PathBuf;

use wake_model::lock::LockSource;
use wake_model::{LockedPkg, Manifest, PkgName, Requirement, Version};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::choose::newest_usable;
use crate::inquiry::check_reach;
use crate::locked::LockedPkgs;
use crate::registries::registry_failure;
use crate::session::Session;

/// A version of a published package.
#[derive(Clone, Debug)]
pub struct ObtainedPkg {
    /// The package.
    pub name: PkgName,
    /// The version.
    pub version: Version,
    /// Its files.
    pub manifest: Manifest,
    /// Their directory in the store.
    pub dir: PathBuf,
}

impl Session {
    /// Returns the highest version of a published package that matches `wanted` and may be chosen now, with its files.
    ///
    /// It is compared and its trust checked like a locked one.
    pub fn obtain(
        &self,
        name: &PkgName,
        wanted: Option<&Requirement>,
        cancel: &Cancel,
    ) -> Result<ObtainedPkg, Failure> {
        self.registries.count_with(cancel.meter());
        let registry = self.registries.of(name.namespace.as_ref());
        let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
        check_reach(&self.registries)?;
        let (workspace, store) = (&self.workspace, self.store());
        let wanted = (name, wanted);
        let newest = newest_usable(workspace, &self.registries, store, wanted, &[])?;
        let version = newest.ok_or_else(|| self.unknown_pkg(name, registry.name()))?;
        let log = registry.log(name, store, self.registries.meter()).map_err(registry_failure)?;
        let listed = log.get(&version).ok_or_else(|| {
            let message = format!("{name} {version} is no longer in `{}`", registry.name());
            Diagnostic::error(Class::Network, message)
        })?;
        let locked = LockedPkg {
            name: name.clone(),
            version: version.clone(),
            source: LockSource::Registry(registry.name().clone()),
            content: listed.release.content,
        };
        let obtained = LockedPkgs::new(&self.registries).obtain(&locked, store);
        let obtained = obtained.map_err(|error| Failure::from(*error))?;
        let (manifest, dir) = (obtained.stored.manifest.clone(), store.tree_place(&obtained.tree));
        Ok(ObtainedPkg { name: locked.name, version, manifest, dir })
    }
}
