//! Blobs that are not part of a tree, such as long logs.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use wake_model::BlobDigest;

use crate::action::{note_use, read_with_time};
use crate::error::{At, StoreError, optional};
use crate::measure::{CHUNK, hash_file};
use crate::open::Store;
use crate::publish::{Durability, publish_file, rename_into};
use crate::removal::remove_file;
use crate::session::Scratch;

/// A blob that is written piece by piece; if it is dropped before it is finished, nothing is stored.
#[derive(Debug)]
pub struct BlobWriter<'s> {
    store: &'s Store,
    new: Scratch,
    file: File,
    hasher: blake3::Hasher,
    size: u64,
}

impl Store {
    /// Stores bytes; if they exist already they are compared, and replaced if they are wrong.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<BlobDigest, StoreError> {
        let digest = BlobDigest::of(bytes);
        let place = self.layout().blob(&digest);
        let present = optional(fs::read(&place).at(&place))?;
        if present.is_none_or(|present| present != bytes) {
            publish_file(&*self.session()?, &place, bytes, Durability::Noticed)?;
        }
        Ok(digest)
    }

    /// Stores what `bytes` yields until its end, with little memory; returns the digest and the size.
    pub fn put_blob_from(&self, bytes: &mut dyn Read) -> Result<(BlobDigest, u64), StoreError> {
        let mut writer = self.begin_blob()?;
        let mut piece = vec![0; CHUNK];
        loop {
            match bytes.read(&mut piece) {
                Ok(0) => return writer.finish(),
                Ok(count) => writer.write(&piece[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::new(writer.new.path(), error)),
            }
        }
    }

    /// Starts storing bytes as they arrive.
    pub fn begin_blob(&self) -> Result<BlobWriter<'_>, StoreError> {
        let new = self.place()?;
        let file = File::create_new(new.path()).at(new.path())?;
        Ok(BlobWriter { store: self, new, file, hasher: blake3::Hasher::new(), size: 0 })
    }

    /// Opens the file with the bytes of a digest for reading; none if it does not exist. The bytes are not compared:
    /// the caller verifies them by another name.
    pub fn open_blob(&self, digest: &BlobDigest) -> Result<Option<File>, StoreError> {
        let place = self.layout().blob(digest);
        let Some(file) = optional(File::open(&place).at(&place))? else { return Ok(None) };
        note_use(&place, file.metadata().and_then(|meta| meta.modified()).at(&place)?);
        Ok(Some(file))
    }

    /// Opens the file with the bytes of a digest, compared with it and positioned at its start; none if it does not
    /// exist or was wrong and has just been removed.
    pub fn compared_blob(&self, digest: &BlobDigest) -> Result<Option<File>, StoreError> {
        let place = self.layout().blob(digest);
        let Some(mut file) = self.open_blob(digest)? else { return Ok(None) };
        if hash_file(&mut file).at(&place)?.0 != *digest {
            remove_file(&place)?;
            return Ok(None);
        }
        file.rewind().at(&place)?;
        Ok(Some(file))
    }

    /// Returns where the bytes of a digest are, or would be.
    pub fn blob_place(&self, digest: &BlobDigest) -> PathBuf {
        self.layout().blob(digest)
    }

    /// Removes bytes that turned out to be wrong.
    pub fn drop_blob(&self, digest: &BlobDigest) -> Result<(), StoreError> {
        remove_file(&self.layout().blob(digest))
    }

    /// Returns bytes by their digest; none if they do not exist or were wrong and have just been removed.
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

impl BlobWriter<'_> {
    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all_at(bytes, self.size).at(self.new.path()).inspect_err(|_| {
            // A partial write is cut off again.
            let _ = self.file.set_len(self.size);
        })?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Returns the number of bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Stores the blob; a power cut may lose it, which readers detect. Returns the digest and the size.
    pub fn finish(self) -> Result<(BlobDigest, u64), StoreError> {
        let digest = BlobDigest(self.hasher.finalize().into());
        let place = self.store.layout().blob(&digest);
        rename_into(self.new.path(), &place).at(&place)?;
        self.new.taken();
        Ok((digest, self.size))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stream_is_stored_like_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let (digest, size) = store.put_blob_from(&mut &*bytes).unwrap();
        assert_eq!((digest, size), (BlobDigest::of(&bytes), bytes.len() as u64));
        assert_eq!(store.blob(&digest).unwrap().unwrap(), bytes);
        assert_eq!(store.put_blob(&bytes).unwrap(), digest);
        let mut compared = Vec::new();
        store.compared_blob(&digest).unwrap().unwrap().read_to_end(&mut compared).unwrap();
        assert!(compared == bytes);
        let mut changed = bytes.clone();
        changed[77] ^= 1;
        fs::write(store.blob_place(&digest), changed).unwrap();
        assert!(store.compared_blob(&digest).unwrap().is_none());
        assert!(!store.blob_place(&digest).exists());
        // An interrupted stream leaves nothing.
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
