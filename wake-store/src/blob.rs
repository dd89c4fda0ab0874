//! Bytes that stand alone: long logs and the like.

use std::fs;

use wake_model::BlobDigest;

use crate::action::{note_use, read_with_time};
use crate::error::{At, StoreError, optional};
use crate::open::Store;
use crate::publish::{Durability, publish_file};
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
