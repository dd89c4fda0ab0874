//! One immutable file of sorted entries. Source: `spec/store-layout.md`, memo segments.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use wake_model::Digest;

use crate::error::StoreError;
use crate::publish::{Durability, publish_with};
use crate::session::Session;
use crate::sorted_index::{ENTRY, SortedIndex, u64_at};

const MAGIC: &[u8; 8] = b"wakemem1";
const HEADER: usize = 24;

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    len: u64,
    index: SortedIndex,
}

/// The position of a key's value, and its expected hash.
#[derive(Clone, Copy)]
pub(super) struct MemoSlot {
    pub(super) key: Digest,
    offset: u64,
    pub(super) len: u64,
    check: [u8; 16],
}

impl Segment {
    /// Opens the segment at `path`; none if there is no complete one.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        let (magic, numbers) = header.split_at(MAGIC.len());
        let (count, len) = (u64_at(numbers, 0)?, u64_at(numbers, 8)?);
        let index_end = count.checked_mul(ENTRY as u64)?.checked_add(HEADER as u64)?;
        let whole = magic == MAGIC && len == file.metadata().ok()?.len() && index_end <= len;
        whole.then(|| Segment {
            path: path.to_owned(),
            file,
            len,
            index: SortedIndex::new(HEADER as u64, count),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn size(&self) -> u64 {
        self.len
    }

    /// Returns the value of a key, if it is here and passes its check.
    pub(super) fn get(&self, key: &Digest) -> Option<Vec<u8>> {
        let slot = self.index.find(&self.file, key)?;
        self.value(&MemoSlot::decode(&slot)?)
    }

    /// Returns every entry, by key.
    pub(super) fn slots(&self) -> Option<Vec<MemoSlot>> {
        let index = self.index.whole(&self.file)?;
        index.chunks_exact(ENTRY).map(MemoSlot::decode).collect()
    }

    pub(super) fn value(&self, slot: &MemoSlot) -> Option<Vec<u8>> {
        let end = slot.offset.checked_add(slot.len)?;
        if end > self.len {
            return None;
        }
        let mut value = vec![0; usize::try_from(slot.len).ok()?];
        self.file.read_exact_at(&mut value, slot.offset).ok()?;
        (check_of(&slot.key, &value) == slot.check).then_some(value)
    }

    /// Returns whether the keys ascend and every value passes its check.
    pub(super) fn is_sound(&self) -> bool {
        let Some(slots) = self.slots() else { return false };
        slots.is_sorted_by(|a, b| a.key < b.key)
            && slots.iter().all(|slot| self.value(slot).is_some())
    }
}

impl MemoSlot {
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(MemoSlot {
            key: Digest::from_bytes(bytes.get(..32)?.try_into().ok()?),
            offset: u64_at(bytes, 32)?,
            len: u64_at(bytes, 40)?,
            check: bytes.get(48..64)?.try_into().ok()?,
        })
    }
}

/// Covers the key too, so that a value under a wrong key fails the check.
fn check_of(key: &Digest, value: &[u8]) -> [u8; 16] {
    let hash = blake3::keyed_hash(key.as_bytes(), value);
    let mut check = [0; 16];
    check.copy_from_slice(&hash.as_bytes()[..16]);
    check
}

/// Writes a segment of entries with ascending keys.
pub(super) fn write_segment<V: AsRef<[u8]>>(
    session: &Session,
    place: &Path,
    entries: impl ExactSizeIterator<Item = (Digest, V)> + Clone,
) -> Result<(), StoreError> {
    publish_with(session, place, Durability::Noticed, |file| {
        let mut out = BufWriter::with_capacity(256 << 10, file);
        let count = entries.len() as u64;
        let mut offset = HEADER as u64 + count * ENTRY as u64;
        let values: u64 = entries.clone().map(|(_, value)| value.as_ref().len() as u64).sum();
        out.write_all(MAGIC)?;
        out.write_all(&count.to_le_bytes())?;
        out.write_all(&(offset + values).to_le_bytes())?;
        for (key, value) in entries.clone() {
            let value = value.as_ref();
            out.write_all(key.as_bytes())?;
            out.write_all(&offset.to_le_bytes())?;
            out.write_all(&(value.len() as u64).to_le_bytes())?;
            out.write_all(&check_of(&key, value))?;
            offset += value.len() as u64;
        }
        for (_, value) in entries {
            out.write_all(value.as_ref())?;
        }
        out.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
    })
}
