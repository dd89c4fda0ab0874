//! A repository of a registry of containers, whatever lies in it: manifests by their tags and digests, bytes by theirs.

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

/// A repository at a host.
#[derive(Debug)]
pub struct Repository {
    host: Host,
    name: String,
}

/// Bytes of a registry of containers, and how many come before the first one.
pub type BlobPart = (Box<dyn Read + Send>, u64);

/// A repository did not give or take what it should.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// It cannot be reached, or does not answer as a registry of containers does.
    #[error("{place}: {problem}")]
    Unavailable {
        /// The repository.
        place: String,
        /// What came instead.
        problem: String,
    },
    /// It does not let one in.
    #[error("{place}: {status}")]
    Denied {
        /// The repository.
        place: String,
        /// What the server said, and with which login it was asked.
        status: String,
    },
    /// A file of names and passwords makes no sense.
    #[error("`{}`: {problem}", path.display())]
    Logins {
        /// The file.
        path: PathBuf,
        /// What is wrong with it: nothing of what it holds.
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
    /// The repository `name` at `host`, which may have a port. Nothing is asked yet.
    pub fn new(host: &str, name: &str, web: Web) -> Result<Repository, ContainerError> {
        // No registry of packages is asked here, so none is named in what goes wrong.
        let registry: Name =
            "images".parse().map_err(|error: NameError| ContainerError::Here(error.to_string()))?;
        Ok(Repository {
            host: Host::new(registry, None, host.to_owned(), web),
            name: name.to_owned(),
        })
    }

    /// Its tags; none if there is no such repository.
    pub fn tags(&self, meter: &Meter) -> Result<Option<BTreeSet<String>>, ContainerError> {
        Ok(tags(&self.host, &self.name, meter)?)
    }

    /// The manifest under a tag or a digest, of one of the kinds that are asked for; none if there is no such one.
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

    /// The bytes with a digest; whoever reads them compares them. None if they are not there.
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

    /// The same, or what follows so many of them, of a server that can do that; beside them how many come before the first one.
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

    /// Sends bytes that have this digest, unless the repository has them.
    pub fn put_blob(
        &self,
        digest: &str,
        body: WebBody,
        meter: &Meter,
    ) -> Result<(), ContainerError> {
        Ok(send_blob(&self.host, &self.name, digest, body, meter)?)
    }

    /// Gives it a manifest of this kind under a tag or the manifest's digest; all that the manifest names must be there.
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

    /// The entries of the manifests that refer to the one with this digest, whatever they hold.
    pub fn referring(&self, subject: &str, meter: &Meter) -> Result<Vec<Value>, ContainerError> {
        Ok(referring(&self.host, &self.name, subject, meter)?)
    }

    /// Gives it a manifest that refers to the one with the digest `subject`, and has `entry`, which says of it what lists have, be among
    /// what is said to refer to that.
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
        // Such a registry keeps the list itself.
        match reply.header("oci-subject") {
            Some(_) => Ok(()),
            None => Ok(list(&self.host, &self.name, subject, entry, meter)?),
        }
    }
}
