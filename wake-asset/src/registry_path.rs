//! Registry paths and asset ids.

use std::fmt;
use std::str::FromStr;

use crate::name::{AssetName, GenomeDigest, GenomeName, NameError, SeekKey, Tag};

/// How people refer to an asset: `[genome/]asset[.seek_key][:tag]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryPath {
    /// The genome; none where the context determines it.
    pub genome: Option<GenomeName>,
    /// The asset.
    pub asset: AssetName,
    /// The seek key; none for the asset itself.
    pub seek_key: Option<SeekKey>,
    /// The tag; none for the default tag.
    pub tag: Option<Tag>,
}

/// Why a text is not a valid registry path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRegistryPathError {
    /// A part is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It has too many parts.
    #[error("`{0}` is not a valid registry path: it has more than one `/`")]
    Form(String),
    /// The genome is missing where it is required.
    #[error("`{0}` does not name a genome")]
    NoGenome(String),
}

impl RegistryPath {
    /// The form of a registry path, for messages.
    pub const FORM: &'static str = "[GENOME/]ASSET[.SEEK_KEY][:TAG]";
}

impl FromStr for RegistryPath {
    type Err = ParseRegistryPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (genome, rest) = match text.split_once('/') {
            Some((genome, rest)) => (Some(genome.parse()?), rest),
            None => (None, text),
        };
        if rest.contains('/') {
            return Err(ParseRegistryPathError::Form(text.escape_debug().to_string()));
        }
        let (rest, tag) = match rest.split_once(':') {
            Some((rest, tag)) => (rest, Some(tag.parse()?)),
            None => (rest, None),
        };
        let (asset, seek_key) = match rest.split_once('.') {
            Some((asset, key)) => (asset, Some(key.parse()?)),
            None => (rest, None),
        };
        Ok(RegistryPath { genome, asset: asset.parse()?, seek_key, tag })
    }
}

impl fmt::Display for RegistryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(genome) = &self.genome {
            write!(f, "{genome}/")?;
        }
        self.asset.fmt(f)?;
        if let Some(key) = &self.seek_key {
            write!(f, ".{key}")?;
        }
        match &self.tag {
            Some(tag) => write!(f, ":{tag}"),
            None => Ok(()),
        }
    }
}

/// The identity of an asset in a registry: `DIGEST/asset:tag`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetId {
    /// The genome.
    pub genome: GenomeDigest,
    /// The asset.
    pub asset: AssetName,
    /// The tag.
    pub tag: Tag,
}

impl From<AssetId> for RegistryPath {
    fn from(id: AssetId) -> Self {
        let AssetId { genome, asset, tag } = id;
        RegistryPath { genome: Some(genome.into()), asset, seek_key: None, tag: Some(tag) }
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.genome, self.asset, self.tag)
    }
}

impl FromStr for AssetId {
    type Err = ParseRegistryPathError;

    /// Parses the id of a parent or child; without a tag the tag is `default`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path: RegistryPath = text.parse()?;
        let no_genome = || ParseRegistryPathError::NoGenome(text.escape_debug().to_string());
        let genome = path.genome.ok_or_else(no_genome)?.as_str().parse()?;
        Ok(AssetId { genome, asset: path.asset, tag: path.tag.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> RegistryPath {
        text.parse().unwrap()
    }

    #[test]
    fn only_one_part_of_a_registry_path_is_required() {
        let whole = path("GRCh38.p13/fasta.chrom_sizes:1.2.3-a~b");
        assert_eq!(whole.genome.as_ref().unwrap().as_str(), "GRCh38.p13");
        assert_eq!(
            (whole.asset.as_str(), whole.seek_key.as_ref().unwrap().as_str()),
            ("fasta", "chrom_sizes")
        );
        assert_eq!(whole.tag.as_ref().unwrap().as_str(), "1.2.3-a~b");
        for text in ["fasta", "fasta.fai", "fasta:v1.2", "hg38/fasta", "hg38/fasta.a.b:x"] {
            assert_eq!(path(text).to_string(), text);
        }
        assert_eq!(path("fasta:v1.2").seek_key, None);
        for text in [
            "", "/", "hg38/", "/fasta", "a/b/c", "a.", "a:", ".k", ":t", "a b", "../x", "a/..",
            "a:..", "a/b:c:d",
        ] {
            assert!(text.parse::<RegistryPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_asset_has_one_name() {
        let id: AssetId = "4e88/fasta:1.2".parse().unwrap();
        assert_eq!(id.to_string(), "4e88/fasta:1.2");
        assert_eq!("4e88/fasta".parse::<AssetId>().unwrap().tag.as_str(), "default");
        assert!("fasta:x".parse::<AssetId>().is_err() && "../fasta:x".parse::<AssetId>().is_err());
    }
}
