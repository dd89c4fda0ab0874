//! A repository of a container registry with arbitrary contents: manifests by tag or digest, blobs by digest.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;
use wake_model::Name;
use wake_model::name::NameError;
use wake_store::ware::{Meter, Portion, Web, WebBody};

use super::host::Host;
use super::referrers::{list, referring};
use super::transfer::{send_blob, send_manifest, tags};
use crate::error::RegistryError;

/// A repository on a host.
#[derive(Debug)]
pub struct Repository {
    host: Host,
    name: String,
}

/// The bytes of a blob, and the offset of the first one.
pub type BlobPart = (Box<dyn Read + Send>, u64);

/// A registry operation failed.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The registry cannot be reached, or does not answer as a container registry does.
    #[error("{place}: {problem}")]
    Unavailable {
        /// The repository.
        place: String,
        /// What happened instead.
        problem: String,
    },
    /// The registry denied access.
    #[error("{place}: {status}")]
    Denied {
        /// The repository.
        place: String,
        /// The status line, and which login was used.
        status: String,
    },
    /// A credentials file is invalid.
    #[error("`{}`: {problem}", path.display())]
    Logins {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without any of its contents.
        problem: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Something on this machine failed.
    #[error("{0}")]
    Here(String),
}

impl From<RegistryError> for ContainerError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Unavailable { path: place, problem, .. } => {
                ContainerError::Unavailable { place, problem }
            }
            RegistryError::Denied { path: place, status, .. } => {
                ContainerError::Denied { place, status }
            }
            RegistryError::Logins { path, problem } => ContainerError::Logins { path, problem },
            RegistryError::Cancelled => ContainerError::Cancelled,
            other => ContainerError::Here(other.to_string()),
        }
    }
}

impl Repository {
    /// The repository `name` on `host`, which may include a port. Sends no request.
    pub fn new(host: &str, name: &str, web: Web) -> Result<Repository, ContainerError> {
        // This is not a registry of packages, so its errors do not name one.
        let registry: Name =
            "images".parse().map_err(|error: NameError| ContainerError::Here(error.to_string()))?;
        Ok(Repository {
            host: Host::new(registry, None, host.to_owned(), web),
            name: name.to_owned(),
        })
    }

    /// Returns its tags; `None` if the repository does not exist.
    pub fn tags(&self, meter: &Meter) -> Result<Option<BTreeSet<String>>, ContainerError> {
        Ok(tags(&self.host, &self.name, meter)?)
    }

    /// Returns the manifest with a tag or digest, in one of the accepted media types; `None` if there is none.
    pub fn manifest(
        &self,
        reference: &str,
        accepted: &[&str],
        meter: &Meter,
    ) -> Result<Option<Vec<u8>>, ContainerError> {
        let path = format!("/v2/{}/manifests/{reference}", self.name);
        let accept = vec![("accept", accepted.join(", "))];
        let reply = self.host.ask(&self.name, "GET", &path, accept, WebBody::None, meter)?;
        match reply.answer.status {
            200 => {}
            404 => return Ok(None),
            _ => return Err(self.host.unexpected(&self.name, &reply).into()),
        }
        Ok(Some(self.host.read(&self.name, reply)?))
    }

    /// Returns the blob with a digest; the caller verifies it. `None` if it does not exist.
    pub fn blob(
        &self,
        digest: &str,
        meter: &Meter,
    ) -> Result<Option<Box<dyn Read + Send>>, ContainerError> {
        let path = format!("/v2/{}/blobs/{digest}", self.name);
        let reply = self.host.ask(&self.name, "GET", &path, Vec::new(), WebBody::None, meter)?;
        match reply.answer.status {
            200 => Ok(Some(reply.answer.bytes)),
            404 => Ok(None),
            _ => Err(self.host.unexpected(&self.name, &reply).into()),
        }
    }

    /// Returns the same blob from offset `from` if the server supports ranges, with the offset of the first byte.
    pub fn blob_from(
        &self,
        digest: &str,
        from: u64,
        meter: &Meter,
    ) -> Result<Option<BlobPart>, ContainerError> {
        let path = format!("/v2/{}/blobs/{digest}", self.name);
        let headers = Portion { from, ..Portion::default() }.headers();
        let reply = self.host.ask(&self.name, "GET", &path, headers, WebBody::None, meter)?;
        match (reply.answer.status, reply.answer.from) {
            (200, _) => Ok(Some((reply.answer.bytes, 0))),
            (206, Some(from)) => Ok(Some((reply.answer.bytes, from))),
            (404, _) => Ok(None),
            _ => Err(self.host.unexpected(&self.name, &reply).into()),
        }
    }

    /// Uploads a blob with this digest, unless the repository has it.
    pub fn put_blob(
        &self,
        digest: &str,
        body: WebBody,
        meter: &Meter,
    ) -> Result<(), ContainerError> {
        Ok(send_blob(&self.host, &self.name, digest, body, meter)?)
    }

    /// Uploads a manifest under a tag or its digest; everything it names must already be there.
    pub fn put_manifest(
        &self,
        reference: &str,
        media_type: &str,
        bytes: Vec<u8>,
        meter: &Meter,
    ) -> Result<(), ContainerError> {
        send_manifest(&self.host, &self.name, reference, media_type, bytes, meter)?;
        Ok(())
    }

    /// Returns the descriptors of the manifests that refer to the one with this digest.
    pub fn referring(&self, subject: &str, meter: &Meter) -> Result<Vec<Value>, ContainerError> {
        Ok(referring(&self.host, &self.name, subject, meter)?)
    }

    /// Uploads a manifest that refers to the one with the digest `subject`, and adds its descriptor `entry` to the
    /// list of referrers.
    pub fn refer(
        &self,
        subject: &str,
        entry: &Value,
        bytes: Vec<u8>,
        meter: &Meter,
    ) -> Result<(), ContainerError> {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let (digest, kind) = (text("digest"), text("mediaType"));
        let reply = send_manifest(&self.host, &self.name, digest, kind, bytes, meter)?;
        // A registry that sends this header maintains the list itself.
        match reply.header("oci-subject") {
            Some(_) => Ok(()),
            None => Ok(list(&self.host, &self.name, subject, entry, meter)?),
        }
    }
}
