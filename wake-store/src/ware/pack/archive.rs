//! The archive of a tree that is being packed, while it is written to a warehouse.

use super::PackError;
use crate::ware::archive::{TarWriter, ZipWriter};
use crate::ware::entry_path::EntryPath;
use crate::ware::node::{Meta, Node};
use crate::ware::warehouse::{Upload, Warehouse, WarehouseError};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, BufWriter, Write};
use wake_model::ware::{PackType, WareId};

/// An archive in the format of its pack type: gzipped tar, or zip.
pub(super) struct Archive {
    form: ArchiveForm,
    address: String,
}

enum ArchiveForm {
    Tar(TarWriter<GzEncoder<BufWriter<Upload>>>),
    Zip(ZipWriter<BufWriter<Upload>>),
}

impl Archive {
    /// Starts an empty archive.
    pub(super) fn begin(packtype: PackType, target: &Warehouse) -> Result<Self, PackError> {
        let upload = BufWriter::with_capacity(1 << 16, Upload::begin(target)?);
        // Neither has a name, a time or an operating system of its own: the same tree gives the same bytes.
        let form = match packtype {
            PackType::Zip => ArchiveForm::Zip(ZipWriter::new(upload)),
            PackType::Tar | PackType::Tree | PackType::Git => {
                let gzip = GzBuilder::new().mtime(0).operating_system(255);
                ArchiveForm::Tar(TarWriter::new(gzip.write(upload, Compression::default())))
            }
        };
        Ok(Self { form, address: target.to_string() })
    }

    /// Returns whether a node of this kind can be appended.
    pub(super) fn holds(&self, meta: &Meta) -> bool {
        match self.form {
            ArchiveForm::Tar(_) => true,
            ArchiveForm::Zip(_) => {
                matches!(meta.node, Node::File { .. } | Node::Dir | Node::Symlink { .. })
            }
        }
    }

    /// Appends a node; the content of a file follows.
    pub(super) fn entry(&mut self, path: &EntryPath, meta: &Meta) -> Result<(), PackError> {
        let appended = match &mut self.form {
            ArchiveForm::Tar(tar) => tar.entry(path, meta),
            ArchiveForm::Zip(zip) => zip.entry(path, meta),
        };
        appended.map_err(|error| unwritable(&self.address, &error))
    }

    /// Appends content of the current file.
    pub(super) fn content(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        let appended = match &mut self.form {
            ArchiveForm::Tar(tar) => tar.content(bytes),
            ArchiveForm::Zip(zip) => zip.content(bytes),
        };
        appended.map_err(|error| unwritable(&self.address, &error))
    }

    /// Ends the archive, and moves it into place under its id.
    pub(super) fn commit(self, ware: &WareId) -> Result<(), PackError> {
        let Archive { form, address } = self;
        let ended = match form {
            ArchiveForm::Tar(tar) => tar.finish().and_then(GzEncoder::finish),
            ArchiveForm::Zip(zip) => zip.finish(),
        };
        let mut buffered = ended.map_err(|error| unwritable(&address, &error))?;
        buffered.flush().map_err(|error| unwritable(&address, &error))?;
        let upload = buffered.into_inner().map_err(|error| unwritable(&address, error.error()))?;
        Ok(upload.commit(ware)?)
    }
}

fn unwritable(address: &str, error: &io::Error) -> PackError {
    let (address, problem) = (address.to_owned(), error.to_string());
    PackError::Warehouse(WarehouseError::Unwritable { address, problem })
}
