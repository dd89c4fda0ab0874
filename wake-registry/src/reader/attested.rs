//! The attestations of a registry's versions.

use wake_model::{PkgName, RelPath, Version};
use wake_store::ware::Meter;
use wake_store::{Seen, Store};

use super::Registry;
use crate::error::RegistryError;
use crate::log::{self, Listed};
use crate::shelf::{self, Part};
use crate::site::{Bytes, Site};

impl Registry {
    /// Returns the attestations of a version, one per line, as stored; empty if there are none. The caller verifies
    /// them.
    pub fn attestations(
        &self,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<Vec<u8>, RegistryError> {
        self.attestations_that(pkg, version, |_| false, meter)
    }

    /// Returns the attestations of the first mirror for which `are_enough` holds, otherwise those of the registry
    /// itself.
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

    /// Returns the attestations of a version that were kept in the store after they had been verified.
    pub fn kept_attestations(
        &self,
        pkg: &PkgName,
        version: &Version,
        store: &Store,
    ) -> Result<Vec<u8>, RegistryError> {
        let seen = store.seen(&self.address().to_string(), &kept_as(pkg, version))?;
        Ok(seen.unwrap_or_default().bytes)
    }

    /// Keeps the attestations of a version in the store, so that they need not be requested again.
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

    /// Whether a version is only staged for publishing.
    pub fn is_staged(&self, pkg: &PkgName, version: &Version) -> bool {
        self.staged_file(&shelf::part(pkg, version, Part::Archive)).is_some()
    }

    /// Whether a version is known to be signed without requesting its attestations: from the log, or from the
    /// manifest and its referrers.
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

/// The name of a version's attestations in the store.
fn kept_as(pkg: &PkgName, version: &Version) -> RelPath {
    RelPath::parse(&shelf::part(pkg, version, Part::Attestations)).unwrap_or_default()
}
