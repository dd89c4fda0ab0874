//! What people signed of the versions of a registry.

use wake_model::{PkgName, RelPath, Version};
use wake_store::ware::Meter;
use wake_store::{Seen, Store};

use super::Registry;
use crate::error::RegistryError;
use crate::log::{self, Listed};
use crate::shelf::{self, Part};
use crate::site::{Bytes, Site};

impl Registry {
    /// What people signed of a version, a line each, as it lies there; nothing where nobody did. Whoever reads it tries keys on it.
    pub fn attestations(
        &self,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<Vec<u8>, RegistryError> {
        self.attestations_that(pkg, version, |_| false, meter)
    }

    /// The same of the first mirror whose lines are enough, else of the registry itself.
    pub fn attestations_that(
        &self,
        pkg: &PkgName,
        version: &Version,
        are_enough: impl Fn(&[u8]) -> bool,
        meter: &Meter,
    ) -> Result<Vec<u8>, RegistryError> {
        for (number, mirror) in self.up() {
            match self.attestations_at(mirror, pkg, version, meter) {
                Ok(lines) if are_enough(&lines) => return Ok(lines),
                Ok(_) => {}
                Err(error) => self.pass_over_by(number, error)?,
            }
        }
        self.attestations_at(&self.itself, pkg, version, meter)
    }

    fn attestations_at(
        &self,
        site: &Site,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<Vec<u8>, RegistryError> {
        let path = shelf::part(pkg, version, Part::Attestations);
        match site.part(pkg, version, Part::Attestations, 0, None, meter)? {
            Some(Bytes { bytes, .. }) => site.read_all(&path, bytes, log::LONGEST),
            None => Ok(Vec::new()),
        }
    }

    /// What people signed of a version, as it was kept once somebody whose signature counts was among them.
    pub fn kept_attestations(
        &self,
        pkg: &PkgName,
        version: &Version,
        store: &Store,
    ) -> Result<Vec<u8>, RegistryError> {
        let seen = store.seen(&self.address().to_string(), &kept_as(pkg, version))?;
        Ok(seen.unwrap_or_default().bytes)
    }

    /// Keeps what people signed of a version, so that it need not be asked for again.
    pub fn keep_attestations(
        &self,
        pkg: &PkgName,
        version: &Version,
        lines: Vec<u8>,
        store: &Store,
    ) -> Result<(), RegistryError> {
        let seen = Seen { tag: None, bytes: lines };
        Ok(store.keep_seen(&self.address().to_string(), &kept_as(pkg, version), &seen)?)
    }

    /// Whether a version is only staged, by whoever is about to publish it.
    pub fn is_staged(&self, pkg: &PkgName, version: &Version) -> bool {
        self.staged_file(&shelf::part(pkg, version, Part::Archive)).is_some()
    }

    /// Whether it can tell that somebody signed something of a version before that is asked for: from its log, or its manifest and what
    /// refers to it.
    pub fn is_signed(
        &self,
        pkg: &PkgName,
        listed: &Listed,
        meter: &Meter,
    ) -> Result<bool, RegistryError> {
        let version = &listed.release.version;
        if listed.attestations > 0 || self.is_staged(pkg, version) {
            return Ok(true);
        }
        match self.itself.oci() {
            Some(oci) => oci.is_referred_to(pkg, version, meter),
            None => Ok(false),
        }
    }
}

/// What the attestations of a version are called in the store.
fn kept_as(pkg: &PkgName, version: &Version) -> RelPath {
    RelPath::parse(&shelf::part(pkg, version, Part::Attestations)).unwrap_or_default()
}
