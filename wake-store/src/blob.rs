//! Bytes that stand alone: long logs and the like.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use wake_model::BlobDigest;

use crate::action::{note_use, read_with_time};
use crate::error::{At, StoreError, optional};
use crate::measure::measure_file;
use crate::open::Store;
use crate::publish::{Durability, publish_file, rename_into};
use crate::removal::remove_file;

impl Store {
    /// Keeps some bytes; those that are there already are compared, and replaced if they are wrong.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<BlobDigest, StoreError> {
        let digest = BlobDigest::of(bytes);
        let place = self.layout().blob(&digest);
        let present = optional(fs::read(&place).at(&place))?;
        if present.is_none_or(|present| present != bytes) {
            publish_file(&*self.session()?, &place, bytes, Durability::Noticed)?;
        }
        Ok(digest)
    }

    /// Keeps what `bytes` gives until its end, of which little is held in memory at a time; says how much it was.
    pub fn put_blob_from(&self, bytes: &mut dyn Read) -> Result<(BlobDigest, u64), StoreError> {
        let new = self.place()?;
        let mut file = File::create_new(new.path()).at(new.path())?;
        io::copy(bytes, &mut file).at(new.path())?;
        let (digest, size) = measure_file(new.path())?;
        let place = self.layout().blob(&digest);
        rename_into(new.path(), &place).at(&place)?;
        new.taken();
        Ok((digest, size))
    }

    /// The file that has the bytes of a digest, open to be read; none if it is not there. They are not compared: whoever reads
    /// them does that by a name that they have besides.
    pub fn open_blob(&self, digest: &BlobDigest) -> Result<Option<File>, StoreError> {
        let place = self.layout().blob(digest);
        let Some(file) = optional(File::open(&place).at(&place))? else { return Ok(None) };
        note_use(&place, file.metadata().and_then(|meta| meta.modified()).at(&place)?);
        Ok(Some(file))
    }

    /// Where the bytes of a digest lie, or would lie.
    pub fn blob_place(&self, digest: &BlobDigest) -> PathBuf {
        self.layout().blob(digest)
    }

    /// Takes bytes away that turned out to be others than they were.
    pub fn drop_blob(&self, digest: &BlobDigest) -> Result<(), StoreError> {
        remove_file(&self.layout().blob(digest))
    }

    /// Bytes by their digest; none if they are not there or, being wrong, have just been removed.
    pub fn blob(&self, digest: &BlobDigest) -> Result<Option<Vec<u8>>, StoreError> {
        let place = self.layout().blob(digest);
        let Some((bytes, used)) = read_with_time(&place)? else { return Ok(None) };
        if BlobDigest::of(&bytes) != *digest {
            remove_file(&place)?;
            return Ok(None);
        }
        note_use(&place, used);
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stream_is_kept_as_its_bytes_are() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let (digest, size) = store.put_blob_from(&mut &*bytes).unwrap();
        assert_eq!((digest, size), (BlobDigest::of(&bytes), bytes.len() as u64));
        assert_eq!(store.blob(&digest).unwrap().unwrap(), bytes);
        assert_eq!(store.put_blob(&bytes).unwrap(), digest);
        // What breaks off leaves nothing.
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        store.put_blob_from(&mut b"begun".chain(Broken)).unwrap_err();
        assert!(store.blob(&BlobDigest::of(b"begun")).unwrap().is_none());
    }
}
