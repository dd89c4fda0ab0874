//! Transfers tags, manifests and blobs of a package's repository. Source: distribution-spec 1.1.

use std::collections::BTreeSet;
use std::io::Read;

use serde::Deserialize;
use serde_json::Value;
use wake_model::{PkgName, Version};
use wake_store::ware::{Meter, Portion, WebAnswer, WebBody, WebReply};

use super::document::{Descriptor, MANIFEST, Manifest, Own, digest};
use super::host::{self, Host};
use super::tag::Tag;
use super::{Blob, Oci};
use crate::error::RegistryError;

/// Maximum number of tags in a repository.
const MOST_TAGS: usize = 200_000;

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

/// The tags of a repository; `None` if it does not exist.
pub(super) fn tags(
    host: &Host,
    repository: &str,
    meter: &Meter,
) -> Result<Option<BTreeSet<String>>, RegistryError> {
    let mut next = format!("/v2/{repository}/tags/list?n=1000");
    let mut tags = BTreeSet::new();
    loop {
        let reply = host.ask(repository, "GET", &next, Vec::new(), WebBody::None, meter)?;
        match reply.answer.status {
            200 => {}
            404 if tags.is_empty() => return Ok(None),
            _ => return Err(host.unexpected(repository, &reply)),
        }
        let link = reply.header("link").and_then(next_page).map(str::to_owned);
        let bytes = host.read(repository, reply)?;
        let list: TagList = serde_json::from_slice(&bytes).map_err(|error| {
            host.unavailable(repository, &format!("its tag list is invalid: {error}"))
        })?;
        let before = tags.len();
        tags.extend(list.tags.unwrap_or_default());
        if tags.len() > MOST_TAGS {
            return Err(host.unavailable(repository, &format!("it has more than {MOST_TAGS} tags")));
        }
        let Some(link) = link.filter(|_| tags.len() > before) else { return Ok(Some(tags)) };
        next = match host.resolved(&link, meter)? {
            Some(url) if host.is_own(&url, meter)? => url,
            _ => {
                let problem = "its tag list continues on another server";
                return Err(host.unavailable(repository, problem));
            }
        };
    }
}

impl Oci {
    /// The tags of a package's repository that wake understands; `None` if the repository does not exist.
    pub(super) fn tags(
        &self,
        pkg: &PkgName,
        meter: &Meter,
    ) -> Result<Option<BTreeSet<Tag>>, RegistryError> {
        let tags = tags(&self.host, &self.repository(pkg), meter)?;
        Ok(tags.map(|tags| tags.iter().flat_map(|text| Tag::parse(text)).collect()))
    }

    pub(super) fn manifest(
        &self,
        pkg: &PkgName,
        tag: &Tag,
        meter: &Meter,
    ) -> Result<Option<Manifest>, RegistryError> {
        let repository = self.repository(pkg);
        let Some(bytes) = self.manifest_bytes(pkg, &tag.text(), MANIFEST, meter)? else {
            return Ok(None);
        };
        match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(mut manifest) => {
                manifest.own = Own { digest: digest(&bytes), size: bytes.len() as u64 };
                Ok(Some(manifest))
            }
            // Something else may have this tag, such as an image index.
            Err(_) if serde_json::from_slice::<Value>(&bytes).is_ok() => Ok(None),
            Err(error) => {
                let problem = format!("`{}` is not a manifest: {error}", tag.text());
                Err(self.host.unavailable(&repository, &problem))
            }
        }
    }

    /// The bytes of the manifest with a tag or digest; `None` if there is none.
    pub(super) fn manifest_bytes(
        &self,
        pkg: &PkgName,
        reference: &str,
        kind: &str,
        meter: &Meter,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        let repository = self.repository(pkg);
        let path = format!("/v2/{repository}/manifests/{reference}");
        let accept = vec![("accept", kind.to_owned())];
        let reply = self.host.ask(&repository, "GET", &path, accept, WebBody::None, meter)?;
        match reply.answer.status {
            200 => self.host.read(&repository, reply).map(Some),
            404 => Ok(None),
            _ => Err(self.host.unexpected(&repository, &reply)),
        }
    }

    /// The config blob of a package's manifest, which is usually embedded.
    pub(super) fn config(
        &self,
        pkg: &PkgName,
        version: &Version,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<Vec<u8>, RegistryError> {
        let bytes = self.described(pkg, version, &manifest.config, meter)?;
        bytes.ok_or_else(|| self.altered(pkg, version, "its metadata does not match its manifest"))
    }

    /// The blob that a descriptor refers to, which is usually embedded; `None` if the digest does not match.
    pub(super) fn described(
        &self,
        pkg: &PkgName,
        version: &Version,
        of: &Descriptor,
        meter: &Meter,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        let bytes = match of.embedded() {
            Some(bytes) => bytes,
            None => {
                let mut bytes = Vec::new();
                let blob = self.blob(pkg, version, of, 0, meter)?;
                let read = blob.bytes.take(host::LONGEST).read_to_end(&mut bytes);
                read.map_err(|error| {
                    let problem = format!("the transfer was interrupted: {error}");
                    self.host.unavailable(&self.repository(pkg), &problem)
                })?;
                bytes
            }
        };
        Ok(of.is(&bytes).then_some(bytes))
    }

    pub(super) fn blob(
        &self,
        pkg: &PkgName,
        version: &Version,
        of: &Descriptor,
        from: u64,
        meter: &Meter,
    ) -> Result<Blob, RegistryError> {
        let repository = self.repository(pkg);
        let Some(sha256) = of.sha256() else {
            return Err(self.altered(
                pkg,
                version,
                "its manifest has a digest that is not SHA-256",
            ));
        };
        let path = format!("/v2/{repository}/blobs/sha256:{sha256}");
        let headers = Portion { from, ..Portion::default() }.headers();
        let reply = self.host.ask(&repository, "GET", &path, headers, WebBody::None, meter)?;
        match (reply.answer.status, reply.answer.from) {
            (200, _) | (206, Some(_)) => {
                let WebAnswer { bytes, from, size, .. } = reply.answer;
                let (from, digest) = (from.unwrap_or(0), of.digest.clone());
                Ok(Blob { bytes, from, size, digest })
            }
            (404, _) => {
                let problem = format!("its tag exists, but blob sha256:{sha256} is missing");
                Err(self.host.unavailable(&repository, &problem))
            }
            _ => Err(self.host.unexpected(&repository, &reply)),
        }
    }

    pub(super) fn put_blob(
        &self,
        pkg: &PkgName,
        digest: &str,
        body: WebBody,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        send_blob(&self.host, &self.repository(pkg), digest, body, meter)
    }

    pub(super) fn put_manifest(
        &self,
        pkg: &PkgName,
        reference: &str,
        manifest: String,
        meter: &Meter,
    ) -> Result<WebReply, RegistryError> {
        let (repository, bytes) = (self.repository(pkg), manifest.into_bytes());
        send_manifest(&self.host, &repository, reference, MANIFEST, bytes, meter)
    }
}

/// Uploads a blob to a repository, unless it is there.
pub(super) fn send_blob(
    host: &Host,
    repository: &str,
    digest: &str,
    body: WebBody,
    meter: &Meter,
) -> Result<(), RegistryError> {
    let ask = |method, path: &str, headers, body| {
        host.ask(repository, method, path, headers, body, meter)
    };
    let there =
        ask("HEAD", &format!("/v2/{repository}/blobs/{digest}"), Vec::new(), WebBody::None)?;
    match there.answer.status {
        200 => return Ok(()),
        404 => {}
        _ => return Err(host.unexpected(repository, &there)),
    }
    let begun =
        ask("POST", &format!("/v2/{repository}/blobs/uploads/"), Vec::new(), WebBody::None)?;
    if begun.answer.status != 202 {
        return Err(host.unexpected(repository, &begun));
    }
    let place = begun.header("location").map(|place| host.resolved(place, meter));
    let Some(mut place) = place.transpose()?.flatten() else {
        return Err(host.unavailable(repository, "the server returned no upload location"));
    };
    place.push(if place.contains('?') { '&' } else { '?' });
    place += &format!("digest={digest}");
    let kind = vec![("content-type", "application/octet-stream".to_owned())];
    let sent = ask("PUT", &place, kind, body)?;
    match sent.answer.status {
        200..300 => Ok(()),
        _ => Err(host.unexpected(repository, &sent)),
    }
}

/// Uploads a manifest to a repository, under a tag or its digest.
pub(super) fn send_manifest(
    host: &Host,
    repository: &str,
    reference: &str,
    media_type: &str,
    bytes: Vec<u8>,
    meter: &Meter,
) -> Result<WebReply, RegistryError> {
    let path = format!("/v2/{repository}/manifests/{reference}");
    let kind = vec![("content-type", media_type.to_owned())];
    let reply = host.ask(repository, "PUT", &path, kind, WebBody::Bytes(bytes), meter)?;
    match reply.answer.status {
        200..300 => Ok(reply),
        _ => Err(host.unexpected(repository, &reply)),
    }
}

/// The URL of the next page. Source: RFC 8288.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|one| {
        let (address, rest) = one.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |part: &str| matches!(part.trim(), "rel=\"next\"" | "rel=next");
        rest.split(';').any(is_next).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_one_that_says_so() {
        let link = "</v2/a/tags/list?n=2&last=b>; rel=\"next\"";
        assert_eq!(next_page(link), Some("/v2/a/tags/list?n=2&last=b"));
        assert_eq!(next_page("</a>; rel=\"prev\", </b>; rel=next"), Some("/b"));
        assert_eq!(next_page("</a>; rel=\"prev\""), None);
    }
}
