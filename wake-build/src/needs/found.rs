//! What is known of a package that was just added.

use wake_model::LockedPkg;
use wake_model::lock::LockSource;
use wake_registry::{Registry, said_signers};

use crate::published::shown_needs;
use crate::session::Session;

/// What was found for a package that has been added to a package file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundNeed {
    /// The version that it resolves to.
    pub version: String,
    /// The registry's name here, or the package whose exec provides it.
    pub from: String,
    /// When it was published, in seconds since 1970; none if unknown.
    pub at: Option<u64>,
    /// Who signed it; none for a retrieved package.
    pub signers: Option<Signers>,
    /// Its dependencies, as `NAME REQUIREMENT`, sorted; none for a retrieved package.
    pub needs: Option<Vec<String>>,
}

/// Who signed a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signers {
    /// Nobody.
    Nobody,
    /// This key, which is trusted here.
    Counts(String),
    /// The attestation names these keys, but none was verified.
    Said(Vec<String>),
    /// That could not be found out, for this reason.
    Unknown(String),
}

impl Session {
    /// Returns what is known of the package that was added.
    pub(super) fn found(&self, locked: &LockedPkg) -> FoundNeed {
        let LockedPkg { name, version, source, .. } = locked;
        let from = match source {
            LockSource::Retriever(by) => by.to_string(),
            LockSource::Registry(registry) => registry.to_string(),
        };
        let mut found =
            FoundNeed { version: version.to_string(), from, at: None, signers: None, needs: None };
        let registry = self.registries.of(name.namespace.as_ref());
        let Some(registry) = registry.filter(|_| locked.is_of_registry()) else { return found };
        // The log was read before, so an error now is not the user's.
        let log = registry.log(name, self.store(), self.registries.meter());
        let Ok(Some(listed)) = log.as_ref().map(|log| log.get(version)) else { return found };
        found.at = (listed.at > 0).then_some(listed.at);
        found.signers = Some(self.signers(locked, &registry));
        found.needs = Some(shown_needs(&listed.release));
        found
    }

    fn signers(&self, locked: &LockedPkg, registry: &Registry) -> Signers {
        let LockedPkg { name, version, content, .. } = locked;
        let lines = match registry.attestations(name, version, self.registries.meter()) {
            Ok(lines) => lines,
            // The package has been added: missing information does not change that.
            Err(error) => return Signers::Unknown(error.to_string()),
        };
        let trust = self.registries.trust(name.namespace.as_ref());
        if let Some(Ok(Some(key))) = trust.map(|trust| trust.check(&lines, content)) {
            return Signers::Counts(key.id());
        }
        let said = said_signers(&lines, content);
        match said.is_empty() {
            true => Signers::Nobody,
            false => Signers::Said(said),
        }
    }
}
