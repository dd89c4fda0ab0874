//! The archive of a tree that is being packed, on its way into a warehouse.

use super::PackError;
use crate::ware::archive::TarWriter;
use crate::ware::entry_path::EntryPath;
use crate::ware::node::Meta;
use crate::ware::warehouse::{Upload, Warehouse, WarehouseError};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, BufWriter, Write};
use wake_model::ware::WareId;

/// A gzipped tar archive.
pub(super) struct Archive {
    tar: TarWriter<GzEncoder<BufWriter<Upload>>>,
    address: String,
}

impl Archive {
    /// An empty one.
    pub(super) fn begin(target: &Warehouse) -> Result<Self, PackError> {
        let upload = BufWriter::with_capacity(1 << 16, Upload::begin(target)?);
        // A header without name, time and operating system: the same tree gives the same bytes.
        let gzip =
            GzBuilder::new().mtime(0).operating_system(255).write(upload, Compression::default());
        Ok(Self { tar: TarWriter::new(gzip), address: target.to_string() })
    }

    /// Appends a node; the content of a file follows.
    pub(super) fn entry(&mut self, path: &EntryPath, meta: &Meta) -> Result<(), PackError> {
        self.tar.entry(path, meta).map_err(|error| unwritable(&self.address, &error))
    }

    /// Appends a part of the content of the file at hand.
    pub(super) fn content(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.tar.content(bytes).map_err(|error| unwritable(&self.address, &error))
    }

    /// Ends it, and puts it in place under its id.
    pub(super) fn commit(self, ware: &WareId) -> Result<(), PackError> {
        let Archive { tar, address } = self;
        let mut buffered = tar
            .finish()
            .and_then(GzEncoder::finish)
            .map_err(|error| unwritable(&address, &error))?;
        buffered.flush().map_err(|error| unwritable(&address, &error))?;
        let upload = buffered.into_inner().map_err(|error| unwritable(&address, error.error()))?;
        Ok(upload.commit(ware)?)
    }
}

fn unwritable(address: &str, error: &io::Error) -> PackError {
    let (address, problem) = (address.to_owned(), error.to_string());
    PackError::Warehouse(WarehouseError::Unwritable { address, problem })
}
