//! Streams that are stored as blocks: the sequence of their blobs, while they are written and afterwards.
//!
//! The block list of a stream is in the directory of a buffer. Garbage collection keeps each blob that a list names;
//! the meaning of a directory is not known here.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use wake_model::{BlobDigest, Digest};

use crate::error::{At, StoreError, optional};
use crate::listing::children;
use crate::open::Store;
use crate::publish::{Durability, publish_file};
use crate::removal::{make_dir_all, remove_tree};
use crate::session::unique;

/// The file with the block list.
const BLOCKS: &str = "blocks";
const MAGIC: &[u8; 8] = b"wakestr2";
const RECORD: usize = 48;
/// The bytes of a record before its check.
const BODY: usize = 40;

/// One block of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamBlock {
    /// Its bytes.
    pub blob: BlobDigest,
    /// Its size.
    pub size: u64,
}

/// A list that is being written. Nobody else appends to it while this exists, and readers can tell that it does.
#[derive(Debug)]
pub struct StreamWriter {
    file: File,
    path: PathBuf,
    blocks: u64,
    records: blake3::Hasher,
}

/// A list as far as it has been written.
#[derive(Debug)]
pub struct StreamReader {
    file: File,
    path: PathBuf,
    blocks: u64,
    records: blake3::Hasher,
}

impl Store {
    /// Returns where directories of buffers are; it may not exist yet.
    pub fn buffers_dir(&self) -> PathBuf {
        self.layout().buffers.clone()
    }

    /// Returns where directories of jobs are; it may not exist yet.
    pub fn jobs_dir(&self) -> PathBuf {
        self.layout().jobs.clone()
    }

    /// Writes a small file into the directory of a buffer or a job: readers see the old bytes or the new, even after a
    /// power cut.
    pub fn keep_file(&self, place: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        publish_file(&*self.session()?, place, bytes, Durability::Kept)
    }

    /// Removes the directory of a buffer or a job.
    pub fn drop_dir(&self, dir: &Path) -> Result<(), StoreError> {
        remove_tree(dir)
    }

    /// Starts the list of a directory; none if it exists already.
    pub fn begin_stream(&self, dir: &Path) -> Result<Option<StreamWriter>, StoreError> {
        make_dir_all(dir)?;
        let path = dir.join(BLOCKS);
        // It is locked before it is named: whoever sees it sees that it is being written.
        let unnamed = dir.join(format!("{BLOCKS}.{}", unique()));
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).read(true).create_new(true).open(&unnamed).at(&unnamed)?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).at(&unnamed)?;
        let begun = file.write_all(MAGIC).and_then(|()| fs::hard_link(&unnamed, &path));
        let _ = fs::remove_file(&unnamed);
        match begun {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            other => {
                other.at(&path)?;
                Ok(Some(StreamWriter { file, path, blocks: 0, records: blake3::Hasher::new() }))
            }
        }
    }

    /// Opens the list of a directory; none if it does not exist.
    pub fn stream(&self, dir: &Path) -> Result<Option<StreamReader>, StoreError> {
        open(dir)
    }

    /// Makes everything that the list of a directory names survive a power cut.
    pub fn sync_stream(&self, dir: &Path) -> Result<(), StoreError> {
        let Some(mut reader) = open(dir)? else { return Ok(()) };
        let mut seen = HashSet::new();
        while let Some(block) = reader.next_block()? {
            let place = self.layout().blob(&block.blob);
            if seen.insert(block.blob) {
                File::open(&place).and_then(|file| file.sync_data()).at(&place)?;
            }
        }
        reader.file.sync_all().at(&reader.path)
    }
}

fn open(dir: &Path) -> Result<Option<StreamReader>, StoreError> {
    let path = dir.join(BLOCKS);
    let file = optional(File::open(&path).at(&path))?;
    Ok(file.map(|file| StreamReader { file, path, blocks: 0, records: blake3::Hasher::new() }))
}

impl StreamWriter {
    /// Appends a block, whose blob is in the store.
    pub fn add(&mut self, block: &StreamBlock) -> Result<(), StoreError> {
        let record = encode(self.blocks, block);
        let offset = offset(self.blocks);
        self.file.write_all_at(&record, offset).at(&self.path).inspect_err(|_| {
            // A partial write is cut off again: a torn end is ignored.
            let _ = self.file.set_len(offset);
        })?;
        self.blocks += 1;
        self.records.update(&record);
        Ok(())
    }

    /// Returns the BLAKE3 of the records so far.
    pub fn digest(&self) -> Digest {
        self.records.finalize().into()
    }
}

impl StreamReader {
    /// Returns the next block, if it has been written.
    pub fn next_block(&mut self) -> Result<Option<StreamBlock>, StoreError> {
        let mut record = [0; RECORD];
        let mut filled = 0;
        while filled < RECORD {
            let at = offset(self.blocks) + filled as u64;
            match self.file.read_at(&mut record[filled..], at) {
                Ok(0) => return Ok(None),
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::new(&self.path, error)),
            }
        }
        let Some(block) = decode(self.blocks, &record) else { return Ok(None) };
        self.blocks += 1;
        self.records.update(&record);
        Ok(Some(block))
    }

    /// Returns the BLAKE3 of the records that were read.
    pub fn digest(&self) -> Digest {
        self.records.finalize().into()
    }

    /// Returns whether it is being written.
    pub fn is_being_written(&self) -> bool {
        let free = flock(&self.file, FlockOperation::NonBlockingLockShared);
        if free.is_ok() {
            let _ = flock(&self.file, FlockOperation::Unlock);
        }
        free.is_err()
    }
}

/// Returns the blobs that all lists of the store name.
pub(crate) fn named_blobs(buffers: &Path) -> Result<HashSet<BlobDigest>, StoreError> {
    let mut all = HashSet::new();
    for dir in children(buffers)? {
        let Some(mut reader) = open(&dir)? else { continue };
        let mut magic = [0; 8];
        if reader.file.read_exact(&mut magic).is_err() || &magic != MAGIC {
            continue;
        }
        while let Some(block) = reader.next_block()? {
            all.insert(block.blob);
        }
    }
    Ok(all)
}

fn offset(block: u64) -> u64 {
    MAGIC.len() as u64 + block * RECORD as u64
}

/// `blob, size, check`: the check covers the number of the block and everything before the check.
fn encode(number: u64, block: &StreamBlock) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..32].copy_from_slice(block.blob.0.as_bytes());
    record[32..BODY].copy_from_slice(&block.size.to_le_bytes());
    let check = check(number, &record[..BODY]);
    record[BODY..].copy_from_slice(&check);
    record
}

fn decode(number: u64, record: &[u8; RECORD]) -> Option<StreamBlock> {
    let (body, said) = record.split_at(BODY);
    if check(number, body) != *said {
        return None;
    }
    let blob = BlobDigest(Digest::from_bytes(body[..32].try_into().ok()?));
    let size = u64::from_le_bytes(body[32..].try_into().ok()?);
    Some(StreamBlock { blob, size })
}

fn check(number: u64, body: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes()).update(body);
    let mut check = [0; 8];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    check
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{GcMode, GcOptions};

    fn block(store: &Store, bytes: &[u8]) -> StreamBlock {
        let blob = store.put_blob(bytes).unwrap();
        StreamBlock { blob, size: bytes.len() as u64 }
    }

    #[test]
    fn a_list_is_read_while_it_grows_and_its_blobs_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let place = store.buffers_dir().join("one");
        assert!(store.stream(&place).unwrap().is_none());
        let mut writer = store.begin_stream(&place).unwrap().unwrap();
        let mut reader = store.stream(&place).unwrap().unwrap();
        assert!(reader.next_block().unwrap().is_none() && reader.is_being_written());
        assert!(store.begin_stream(&place).unwrap().is_none());
        let (a, b, other) = (block(&store, b"a"), block(&store, b"b"), block(&store, b"other"));
        writer.add(&a).unwrap();
        assert_eq!(reader.next_block().unwrap(), Some(a));
        assert!(reader.next_block().unwrap().is_none());
        writer.add(&b).unwrap();
        drop(writer);
        assert!(!reader.is_being_written());
        assert_eq!(reader.next_block().unwrap(), Some(b));
        let written = fs::read(place.join(BLOCKS)).unwrap();
        assert_eq!(reader.digest(), BlobDigest::of(&written[MAGIC.len()..]).0);
        store.sync_stream(&place).unwrap();
        let everything = GcOptions { mode: GcMode::Delete, ..GcOptions::default() };
        store.gc(&everything, &mut |_| {}).unwrap();
        let has = |block: &StreamBlock| store.blob(&block.blob).unwrap().is_some();
        assert_eq!([has(&a), has(&b), has(&other)], [true, true, false]);
        store.drop_dir(&place).unwrap();
        store.gc(&everything, &mut |_| {}).unwrap();
        assert!(!has(&a));
    }

    #[test]
    fn a_torn_or_altered_record_ends_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let place = store.buffers_dir().join("one");
        let mut writer = store.begin_stream(&place).unwrap().unwrap();
        let blocks = [block(&store, b"a"), block(&store, b"b")];
        blocks.iter().for_each(|block| writer.add(block).unwrap());
        let file = place.join(BLOCKS);
        let bytes = fs::read(&file).unwrap();
        let count = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            let mut reader = store.stream(&place).unwrap().unwrap();
            std::iter::from_fn(|| reader.next_block().unwrap()).count()
        };
        assert_eq!(count(&bytes), 2);
        assert_eq!(count(&bytes[..bytes.len() - 1]), 1);
        let mut altered = bytes.clone();
        altered[8 + RECORD + 3] ^= 1;
        assert_eq!(count(&altered), 1);
        // The second record in place of the first is invalid.
        let swapped = [&bytes[..8], &bytes[8 + RECORD..]].concat();
        assert_eq!(count(&swapped), 0);
    }
}
