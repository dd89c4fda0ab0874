//! The configuration of a registry, `genome_config.yaml`: reading and editing it.
//!
//! Source: `spec/assets.md`, "The configuration".

mod contents;
mod reading;
mod edit;

pub(crate) use contents::Contents;
pub use contents::{AssetEntry, DocumentEntry, GenomeEntry, Relative, TagEntry};
pub use edit::DocumentKind;
pub(crate) use edit::Edit;

use std::path::Path;

use wake_yaml::{Text, Yaml};

use crate::REFGENIE;
use crate::error::AssetError;
use crate::yaml::{self, Node};

/// A configuration, as read.
#[derive(Debug)]
pub(crate) struct Config {
    /// The comments before the first line.
    head: String,
    /// The whole document, including unknown keys.
    root: Node,
    /// The part that wake understands.
    pub(crate) contents: Contents,
}

impl Config {
    /// The version of new configurations.
    pub(crate) const VERSION: &str = "0.5";

    pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Config, AssetError> {
        let yaml = Yaml::parse(&file.display().to_string(), bytes, REFGENIE)?;
        let root = Node::from(&*yaml.root);
        let contents = reading::contents(&yaml.source, &root)?;
        Ok(Config { head: head(&yaml.source), root, contents })
    }

    /// Returns its text with a change applied.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Edit)) -> String {
        let mut edit = Edit::new(self.root.clone());
        change(&mut edit);
        format!("{}{}", self.head, yaml::write(&edit.into_root()))
    }
}

/// Returns the leading comments and blank lines.
fn head(source: &Text) -> String {
    let is_comment = |line: &&String| line.starts_with('#') || line.trim().is_empty();
    let lines = source.lines();
    // There is no line after the last line ending.
    let lines = &lines[..lines.len().saturating_sub(1)];
    lines.iter().take_while(is_comment).map(|line| format!("{line}\n")).collect()
}

/// Returns the text of a new configuration.
pub(crate) fn new_text(genome_folder: &str, servers: &[String]) -> String {
    let mut root = Node::empty_map();
    root.set("config_version", Node::plain(Config::VERSION));
    root.set("genome_folder", Node::text(genome_folder));
    root.set("recipe_folder", Node::text(format!("{genome_folder}/recipes")));
    root.set("asset_class_folder", Node::text(format!("{genome_folder}/asset_classes")));
    root.set("genome_servers", Node::texts(servers));
    for key in ["genomes", "recipes", "asset_classes"] {
        root.set(key, Node::empty_map());
    }
    yaml::write(&root)
}
