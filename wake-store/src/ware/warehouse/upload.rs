//! Puts wares into warehouses that are directories.

use super::{Warehouse, WarehouseError, shard};
use crate::ware::guid::new_guid;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use wake_model::ware::WareId;

/// A ware on its way into a warehouse. Until [`Upload::commit`] it lies beside its place under a temporary name, which
/// is removed when the upload is given up.
pub(crate) struct Upload {
    target: Warehouse,
    temporary: PathBuf,
    file: Option<File>,
}

impl Upload {
    /// Begins to write to `target`, whose directory must exist.
    pub(crate) fn begin(target: &Warehouse) -> Result<Self, WarehouseError> {
        let address = target.to_string();
        let unavailable =
            |problem: String| WarehouseError::Unavailable { address: address.clone(), problem };
        let (dir, name) = match target {
            Warehouse::CaFile(base) => (base.clone(), format!(".tmp.upload.{}", new_guid())),
            Warehouse::File(path) => {
                let name =
                    path.file_name().ok_or_else(|| unavailable("it names no file".to_owned()))?;
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
        let temporary = dir.join(name);
        let file = File::create_new(&temporary)
            .map_err(|error| WarehouseError::Unwritable { address, problem: error.to_string() })?;
        Ok(Self { target: target.clone(), temporary, file: Some(file) })
    }

    /// Puts what was written in its place, as `ware`. It is on disk before it can be found.
    pub(crate) fn commit(mut self, ware: &WareId) -> Result<(), WarehouseError> {
        self.place(ware).map_err(|error| WarehouseError::Unwritable {
            address: self.target.to_string(),
            problem: error.to_string(),
        })
    }

    fn place(&mut self, ware: &WareId) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            file.sync_all()?;
        }
        let place = match &self.target {
            Warehouse::CaFile(base) => shard(base, ware.hash()),
            Warehouse::File(path) => path.clone(),
            Warehouse::Http(..) | Warehouse::CaHttp(..) | Warehouse::Git(..) => return Ok(()),
        };
        if let (Warehouse::CaFile(_), Some(dir)) = (&self.target, place.parent()) {
            fs::create_dir_all(dir)?;
        }
        fs::rename(&self.temporary, &place)?;
        match place.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::Error::other("the upload is over")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After a commit the name is gone; before, nobody else knows it.
        let _ = fs::remove_file(&self.temporary);
    }
}
