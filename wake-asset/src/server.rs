//! Client for refgenie servers, version 3 of their API.
//!
//! As in refgenie, paths are looked up in the server's `openapi.json` by operation id.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wake_registry::Address;
use wake_store::ware::{Meter, Web, without_secrets};

use crate::error::AssetError;
use crate::incoming::{Incoming, document_bytes, escaped, web_file};
use crate::name::{AssetName, GenomeDigest, GenomeName, Tag};
use crate::registry_path::AssetId;

/// Operation ids.
const ALIASES: &str = "v3custom_Id_aliases_dict";
const ASSETS: &str = "v3custom_Id_assets";
const ALIAS: &str = "v3custom_Id_alias_digest";
const DEFAULT_TAG: &str = "v3custom_Id_default_tag";
const ATTRIBUTES: &str = "v3custom_Id_asset_attrs";
const ASSET_DIGEST: &str = "v3custom_Id_asset_digest";
const GENOME: &str = "v3custom_Id_genome_attrs";
const ARCHIVE: &str = "v3custom_Id_archive";

/// A refgenie server.
pub(crate) struct Server<'a> {
    url: String,
    /// The path template of each operation, with parameters in braces.
    paths: BTreeMap<String, String>,
    web: &'a Web,
    meter: &'a Meter,
}

/// The server's description of one tag of an asset.
#[derive(Debug, Deserialize)]
pub(crate) struct Attributes {
    pub(crate) asset_digest: String,
    /// The MD5 of its archive.
    pub(crate) archive_digest: String,
    #[serde(default)]
    pub(crate) seek_keys: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) asset_parents: Vec<String>,
    #[serde(default)]
    pub(crate) asset_class: Option<String>,
    #[serde(default)]
    pub(crate) date_built: Option<String>,
}

/// The same for listing: every field is optional.
#[derive(Debug, Deserialize)]
pub(crate) struct Described {
    #[serde(default)]
    pub(crate) asset_digest: Option<String>,
    #[serde(default)]
    pub(crate) asset_size: Option<String>,
    #[serde(default)]
    pub(crate) seek_keys: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) asset_parents: Vec<String>,
    #[serde(default)]
    pub(crate) asset_children: Vec<String>,
    #[serde(default)]
    pub(crate) asset_class: Option<String>,
    #[serde(default)]
    pub(crate) date_built: Option<String>,
}

/// The server's description of a genome.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct GenomeAttributes {
    #[serde(default)]
    pub(crate) genome_description: Option<String>,
}

impl<'a> Server<'a> {
    /// Connects to the server at an address; none if it is not a refgenie server.
    pub(crate) fn find(
        address: &Address,
        web: &'a Web,
        meter: &'a Meter,
    ) -> Result<Option<Server<'a>>, AssetError> {
        let Address::Web(url) = address else { return Ok(None) };
        let place = format!("{url}/openapi.json");
        let Some(incoming) = web_file(web, &place, 0, meter)? else { return Ok(None) };
        let bytes = document_bytes(&without_secrets(&place), incoming.bytes)?;
        let Ok(described) = serde_json::from_slice::<Value>(&bytes) else { return Ok(None) };
        let entries = described["paths"].as_object().into_iter().flatten();
        let path = |(path, methods): (&String, &Value)| {
            let operation = methods["get"]["operationId"].as_str()?;
            Some((operation.to_owned(), path.clone())).filter(|_| path.starts_with('/'))
        };
        let paths: BTreeMap<String, String> = entries.filter_map(path).collect();
        let has_all = [ALIAS, ATTRIBUTES, ARCHIVE].iter().all(|name| paths.contains_key(*name));
        Ok(has_all.then(|| Server { url: url.clone(), paths, web, meter }))
    }

    /// Returns its name for messages.
    pub(crate) fn title(&self) -> String {
        without_secrets(&self.url).into_owned()
    }

    /// Returns the aliases of its genomes, by digest.
    pub(crate) fn aliases(&self) -> Result<BTreeMap<String, Vec<String>>, AssetError> {
        Ok(self.ask(ALIASES, &[], None)?.unwrap_or_default())
    }

    /// Returns its assets by genome digest: `ASSET.SEEK_KEY:TAG` for each seek key of each asset.
    pub(crate) fn assets(&self) -> Result<BTreeMap<String, Vec<String>>, AssetError> {
        let said = match self.place(ASSETS, &[], None) {
            Some(url) => self.answer(&format!("{url}?includeSeekKeys=true"))?,
            None => None,
        };
        said.ok_or_else(|| AssetError::Place {
            place: self.title(),
            problem: "this refgenie server does not list its assets".to_owned(),
            hint: None,
        })
    }

    /// Returns the genome of an alias.
    pub(crate) fn genome_of(&self, alias: &GenomeName) -> Result<Option<GenomeDigest>, AssetError> {
        let said: Option<String> = self.ask(ALIAS, &[("alias", alias.as_str())], None)?;
        Ok(said.map(|digest| digest.parse()).transpose()?)
    }

    /// Returns the default tag of an asset.
    pub(crate) fn default_tag(
        &self,
        genome: &GenomeDigest,
        asset: &AssetName,
    ) -> Result<Option<Tag>, AssetError> {
        let said: Option<String> = self.ask(DEFAULT_TAG, &names(genome, asset), None)?;
        Ok(said.map(|tag| tag.parse()).transpose()?)
    }

    /// Returns its description of one tag of an asset.
    pub(crate) fn attributes(&self, id: &AssetId) -> Result<Option<Attributes>, AssetError> {
        self.ask(ATTRIBUTES, &names(&id.genome, &id.asset), Some(&id.tag))
    }

    /// The same for listing.
    pub(crate) fn described(&self, id: &AssetId) -> Result<Option<Described>, AssetError> {
        self.ask(ATTRIBUTES, &names(&id.genome, &id.asset), Some(&id.tag))
    }

    /// Returns the digest of an asset.
    pub(crate) fn digest(&self, id: &AssetId) -> Result<Option<String>, AssetError> {
        self.ask(ASSET_DIGEST, &names(&id.genome, &id.asset), Some(&id.tag))
    }

    /// Returns its description of a genome.
    pub(crate) fn genome(
        &self,
        genome: &GenomeDigest,
    ) -> Result<Option<GenomeAttributes>, AssetError> {
        self.ask(GENOME, &[("genome", genome.as_str())], None)
    }

    /// Requests the archive of an asset from offset `from`, if supported.
    pub(crate) fn archive(&self, id: &AssetId, from: u64) -> Result<Option<Incoming>, AssetError> {
        match self.place(ARCHIVE, &names(&id.genome, &id.asset), Some(&id.tag)) {
            Some(url) => web_file(self.web, &url, from, self.meter),
            None => Ok(None),
        }
    }

    /// Returns the URL of an asset's archive, for messages.
    pub(crate) fn archive_place(&self, id: &AssetId) -> String {
        let place = self.place(ARCHIVE, &names(&id.genome, &id.asset), Some(&id.tag));
        without_secrets(&place.unwrap_or_default()).into_owned()
    }

    fn place(&self, operation: &str, values: &[(&str, &str)], tag: Option<&Tag>) -> Option<String> {
        let mut path = self.paths.get(operation)?.clone();
        for (name, value) in values {
            path = path.replace(&format!("{{{name}}}"), &escaped(value));
        }
        let query = tag.map(|tag| format!("?tag={}", escaped(tag.as_str())));
        Some(format!("{}{path}{}", self.url, query.unwrap_or_default()))
    }

    /// Calls an operation; none if it does not exist or finds nothing.
    fn ask<T: DeserializeOwned>(
        &self,
        operation: &str,
        values: &[(&str, &str)],
        tag: Option<&Tag>,
    ) -> Result<Option<T>, AssetError> {
        match self.place(operation, values, tag) {
            Some(url) => self.answer(&url),
            None => Ok(None),
        }
    }

    /// Requests and parses a URL; none if nothing is there.
    fn answer<T: DeserializeOwned>(&self, url: &str) -> Result<Option<T>, AssetError> {
        let Some(incoming) = web_file(self.web, url, 0, self.meter)? else { return Ok(None) };
        let place = without_secrets(url).into_owned();
        let bytes = document_bytes(&place, incoming.bytes)?;
        let said: Option<T> =
            serde_json::from_slice(&bytes).map_err(|error| AssetError::Place {
                place,
                problem: format!("not a response of a refgenie server: {error}"),
                hint: None,
            })?;
        Ok(said)
    }
}

fn names<'n>(genome: &'n GenomeDigest, asset: &'n AssetName) -> [(&'static str, &'n str); 2] {
    [("genome", genome.as_str()), ("asset", asset.as_str())]
}
