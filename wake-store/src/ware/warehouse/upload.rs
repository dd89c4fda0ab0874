//! Writes wares to warehouses that are directories.

use super::{Warehouse, WarehouseError, shard};
use crate::ware::guid::new_guid;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use tempfile::TempPath;
use wake_model::ware::WareId;

/// A ware being written to a warehouse. Until [`Upload::commit`] it is beside its final path under a temporary name,
/// which is removed if the upload is dropped.
pub(crate) struct Upload {
    target: Warehouse,
    file: File,
    temporary: TempPath,
}

impl Upload {
    /// Starts writing to `target`, whose directory must exist.
    pub(crate) fn begin(target: &Warehouse) -> Result<Self, WarehouseError> {
        let address = target.to_string();
        let unavailable =
            |problem: String| WarehouseError::Unavailable { address: address.clone(), problem };
        let (dir, name) = match target {
            Warehouse::CaFile(base) => (base.clone(), format!(".tmp.upload.{}", new_guid())),
            Warehouse::File(path) => {
                let name = path
                    .file_name()
                    .ok_or_else(|| unavailable("it has no file name".to_owned()))?;
                let dir = path.parent().map(PathBuf::from).unwrap_or_default();
                (dir, format!(".tmp.upload.{}.{}", name.to_string_lossy(), new_guid()))
            }
            Warehouse::Http(..) | Warehouse::CaHttp(..) | Warehouse::Git(..) => {
                let problem = "only `file://` and `ca+file://` can be written".to_owned();
                return Err(WarehouseError::Unwritable { address, problem });
            }
        };
        if !dir.is_dir() {
            return Err(unavailable(format!("`{}` is not a directory", dir.display())));
        }
        let path = dir.join(name);
        let (file, temporary) = File::create_new(&path)
            .and_then(|file| Ok((file, TempPath::try_from_path(path)?)))
            .map_err(|error| WarehouseError::Unwritable { address, problem: error.to_string() })?;
        Ok(Self { target: target.clone(), file, temporary })
    }

    /// Moves what was written into place, as `ware`. It is on disk before it can be found.
    pub(crate) fn commit(self, ware: &WareId) -> Result<(), WarehouseError> {
        let address = self.target.to_string();
        self.place(ware)
            .map_err(|error| WarehouseError::Unwritable { address, problem: error.to_string() })
    }

    fn place(self, ware: &WareId) -> io::Result<()> {
        self.file.sync_all()?;
        let place = match &self.target {
            Warehouse::CaFile(base) => shard(base, ware.hash()),
            Warehouse::File(path) => path.clone(),
            Warehouse::Http(..) | Warehouse::CaHttp(..) | Warehouse::Git(..) => return Ok(()),
        };
        if let (Warehouse::CaFile(_), Some(dir)) = (&self.target, place.parent()) {
            fs::create_dir_all(dir)?;
        }
        self.temporary.persist(&place)?;
        match place.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
