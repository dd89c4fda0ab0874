//! Writes a layer of a container image: a tar archive whose bytes depend only on its entries.

use super::archive::TarWriter;
use super::bare_tree::{BareTarError, copy};
use super::entry_path::EntryPath;
use super::node::{Meta, Node};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

/// A layer's entry at one path: its metadata and, for a file, the path of its content.
pub type LayerEntry = (Meta, Option<PathBuf>);

/// Writes entries, sorted by the bytes of their paths, as a tar archive: ustar, extended records only for what does not
/// fit.
pub fn write_layer<W: Write>(
    entries: &BTreeMap<EntryPath, LayerEntry>,
    to: W,
) -> Result<W, BareTarError> {
    let mut tar = TarWriter::new(to);
    for (path, (meta, place)) in entries {
        tar.entry(path, meta).map_err(BareTarError::Write)?;
        if let (Node::File { size }, Some(place)) = (&meta.node, place) {
            copy(place, *size, &mut tar)?;
        }
    }
    tar.finish().map_err(BareTarError::Write)
}
