//! Reads and writes archives: the one door through which every archive enters wake.
//!
//! Readers hand each entry to a [`Visit`]; they check form, visitors check meaning. What is not well-formed is an
//! error that names the place, never skipped.

mod error;
mod content;
mod compression;
mod pax;
mod tar_header;
mod tar_reader;
mod tar_writer;
mod zip_reader;
mod zip_writer;

pub(crate) use compression::Stream;
pub(crate) use content::{Content, NoContent, copy_hashed};
pub use error::ExtractError;
pub(crate) use tar_reader::read_tar;
pub(crate) use tar_writer::TarWriter;
pub(crate) use zip_reader::read_zip;
pub(crate) use zip_writer::ZipWriter;

use super::entry_path::EntryPath;
use super::node::Meta;

/// Receives the entries of an archive in the order in which it holds them.
pub(crate) trait Visit {
    /// Takes one entry. What it leaves of `content` is skipped.
    fn entry(
        &mut self,
        path: EntryPath,
        meta: Meta,
        content: &mut dyn Content,
    ) -> Result<(), ExtractError>;
}
