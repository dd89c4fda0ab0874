//! What is known of a package that was just added.

use wake_model::LockedPkg;
use wake_model::lock::LockSource;
use wake_registry::{Registry, said_signers};

use crate::published::shown_needs;
use crate::session::Session;

/// What was found for a package that a package file names now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundNeed {
    /// The version that it means.
    pub version: String,
    /// What its registry is called here, or the package whose exec gave it.
    pub from: String,
    /// When it was published, in seconds since 1970; none where nobody says.
    pub at: Option<u64>,
    /// Who signed it; none of what was retrieved.
    pub signers: Option<Signers>,
    /// What it needs itself, as `NAME REQUIREMENT`, sorted; none of what was retrieved.
    pub needs: Option<Vec<String>>,
}

/// Who signed a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signers {
    /// Nobody.
    Nobody,
    /// This key, which counts here.
    Counts(String),
    /// What is signed calls these keys, of which none was tried on it.
    Said(Vec<String>),
    /// That could not be found out.
    Unknown(String),
}

impl Session {
    /// What is known of what a package that was added means.
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
        // It was asked for this before, so what goes wrong now is nobody's fault here.
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
            // The package is added: that this is not known changes nothing.
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
