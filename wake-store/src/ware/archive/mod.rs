//! Reads and writes archives: the only entrance for archives into wake.
//!
//! Readers pass each entry to a [`Visit`]; they check the format, visitors check the meaning. Malformed data is an
//! error that names the place, and is never skipped.

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

/// Receives the entries of an archive in archive order.
pub(crate) trait Visit {
    /// Receives one entry. Unread `content` is skipped.
    fn entry(
        &mut self,
        path: EntryPath,
        meta: Meta,
        content: &mut dyn Content,
    ) -> Result<(), ExtractError>;
}
