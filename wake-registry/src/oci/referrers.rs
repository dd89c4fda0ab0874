//! Attestations of a version: those of its publisher are in its manifest, those of others in manifests that refer to
//! it.
//! Source: distribution-spec 1.1, "Listing Referrers", "Referrers Tag Schema".

use serde_json::{Value, json};
use wake_model::{PkgName, Version, json as canonical_json};
use wake_store::ware::{Meter, WebBody};

use super::Oci;
use super::document::{self, ATTESTATIONS, INDEX, MANIFEST, Manifest, NOTHING, digest};
use super::host::Host;
use super::tag::Tag;
use super::transfer::send_manifest;
use crate::error::RegistryError;

/// How many referrers are read at most.
const MOST: usize = 64;
/// How often to rewrite a list that others are writing as well.
const TRIES: usize = 5;

impl Oci {
    /// Returns the attestations of a version, one per line; `None` if the version does not exist.
    pub(crate) fn attestations(
        &self,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        match self.manifest(pkg, &Tag::Version(version.clone()), meter)? {
            Some(manifest) => self.attestations_of(pkg, version, &manifest, meter).map(Some),
            None => Ok(None),
        }
    }

    /// The same, for the version with this manifest.
    pub(super) fn attestations_of(
        &self,
        pkg: &PkgName,
        version: &Version,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<Vec<u8>, RegistryError> {
        let altered = || self.altered(pkg, version, "its attestations do not match its manifest");
        let mut lines = match manifest.attestations() {
            Some(layer) => self.described(pkg, version, layer, meter)?.ok_or_else(altered)?,
            None => Vec::new(),
        };
        for name in self.referrers(pkg, &manifest.own.digest, meter)? {
            let Some(bytes) = self.manifest_bytes(pkg, &name, MANIFEST, meter)? else { continue };
            let referrer = serde_json::from_slice::<Manifest>(&bytes).ok();
            let Some(referrer) = referrer.filter(|_| digest(&bytes) == name) else { continue };
            let Some(layer) = referrer.attestations() else { continue };
            // Referrers of others are ignored if they are invalid.
            if let Some(more) = self.described(pkg, version, layer, meter)? {
                lines.extend_from_slice(b"\n");
                lines.extend(more);
            }
        }
        Ok(lines)
    }

    /// Whether others signed a version.
    pub(crate) fn is_referred_to(
        &self,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<bool, RegistryError> {
        match self.manifest(pkg, &Tag::Version(version.clone()), meter)? {
            Some(manifest) => Ok(!self.referrers(pkg, &manifest.own.digest, meter)?.is_empty()),
            None => Ok(false),
        }
    }

    /// Adds an attestation to a version.
    pub(crate) fn refer(
        &self,
        pkg: &PkgName,
        version: &Version,
        line: &str,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        let Some(subject) = self.manifest(pkg, &Tag::Version(version.clone()), meter)? else {
            return Err(self.altered(pkg, version, "its tag has disappeared"));
        };
        self.put_blob(pkg, &digest(NOTHING), WebBody::Bytes(NOTHING.to_vec()), meter)?;
        let bytes = line.as_bytes();
        self.put_blob(pkg, &digest(bytes), WebBody::Bytes(bytes.to_vec()), meter)?;
        let manifest = document::referrer(line, &subject.own);
        let (name, size) = (digest(manifest.as_bytes()), manifest.len());
        let reply = self.put_manifest(pkg, &name, manifest, meter)?;
        if reply.header("oci-subject").is_some() {
            // The registry maintains the list itself.
            return Ok(());
        }
        let entry = json!({ "artifactType": ATTESTATIONS, "digest": name, "mediaType": MANIFEST, "size": size });
        list(&self.host, &self.repository(pkg), &subject.own.digest, &entry, meter)
    }

    /// The digests of the manifests that refer to one and contain attestations.
    fn referrers(
        &self,
        pkg: &PkgName,
        subject: &str,
        meter: &Meter,
    ) -> Result<Vec<String>, RegistryError> {
        let entries = referring(&self.host, &self.repository(pkg), subject, meter)?;
        let is_one = |entry: &&Value| entry["artifactType"] == ATTESTATIONS;
        let name = |entry: &Value| {
            let name = entry["digest"].as_str()?;
            let is_plain = |c: char| c.is_ascii_hexdigit() || c == ':' || "sha256".contains(c);
            name.chars().all(is_plain).then(|| name.to_owned())
        };
        Ok(entries.iter().filter(is_one).filter_map(name).take(MOST).collect())
    }
}

/// The descriptors of the manifests that refer to one: from the referrers API, or from its fallback tag.
pub(super) fn referring(
    host: &Host,
    repository: &str,
    subject: &str,
    meter: &Meter,
) -> Result<Vec<Value>, RegistryError> {
    let path = format!("/v2/{repository}/referrers/{subject}");
    let accept = vec![("accept", INDEX.to_owned())];
    let reply = host.ask(repository, "GET", &path, accept, WebBody::None, meter)?;
    match reply.answer.status {
        200 => Ok(entries(&host.read(repository, reply)?)),
        // The registry does not support this API.
        _ => listed(host, repository, &fallback(subject), meter),
    }
}

/// Adds a descriptor to the fallback list of referrers, for registries that do not maintain one.
pub(super) fn list(
    host: &Host,
    repository: &str,
    subject: &str,
    entry: &Value,
    meter: &Meter,
) -> Result<(), RegistryError> {
    let tag = fallback(subject);
    for _ in 0..TRIES {
        let mut entries = listed(host, repository, &tag, meter)?;
        if entries.iter().any(|there| there["digest"] == entry["digest"]) {
            return Ok(());
        }
        entries.push(entry.clone());
        let index = canonical_json::canonical(&json!({
            "manifests": entries,
            "mediaType": INDEX,
            "schemaVersion": 2,
        }));
        send_manifest(host, repository, &tag, INDEX, index.into_bytes(), meter)?;
        // Somebody else may have written it at the same time: it is read again.
    }
    let problem =
        format!("tag `{tag}` keeps being overwritten concurrently: run the command again");
    Err(host.unavailable(repository, &problem))
}

/// The descriptors in the list under a tag.
fn listed(
    host: &Host,
    repository: &str,
    tag: &str,
    meter: &Meter,
) -> Result<Vec<Value>, RegistryError> {
    let path = format!("/v2/{repository}/manifests/{tag}");
    let accept = vec![("accept", INDEX.to_owned())];
    let reply = host.ask(repository, "GET", &path, accept, WebBody::None, meter)?;
    match reply.answer.status {
        200 => Ok(entries(&host.read(repository, reply)?)),
        404 => Ok(Vec::new()),
        _ => Err(host.unexpected(repository, &reply)),
    }
}

fn entries(index: &[u8]) -> Vec<Value> {
    let index: Value = serde_json::from_slice(index).unwrap_or_default();
    index["manifests"].as_array().cloned().unwrap_or_default()
}

/// The tag that lists the referrers of a manifest if the registry does not.
fn fallback(subject: &str) -> String {
    subject.replacen(':', "-", 1)
}
