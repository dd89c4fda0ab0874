//! The byte format of a pack. Source: `spec/store-layout.md`, packs.

use std::io;

use wake_model::Digest;

use crate::sorted_index::{ENTRY, u64_at};

const MAGIC: &[u8; 8] = b"wakepck1";
const INDEX_MAGIC: &[u8; 8] = b"wakeidx1";
/// The magic and the salt.
pub(super) const HEAD: usize = 40;
/// What precedes a record: its slot and its last use.
pub(super) const HEADER: usize = ENTRY + 8;
/// The size of a finished pack's trailer.
pub(super) const TRAILER: usize = 32;

/// The key of one pack's checks. Records contain what commands wrote, and no command knows this key, so nothing that a
/// command writes can pass for a part of a pack, wherever the pack is torn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Salt([u8; 32]);

/// The position of a key's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) key: Digest,
    /// The offset of its header.
    pub(super) offset: u64,
    /// The length of the record.
    pub(super) len: u64,
    /// When it was written, in nanoseconds since 1970; the latest record of a key counts.
    pub(super) written: u64,
}

impl Salt {
    pub(super) fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        if filled == bytes.len() { Ok(Salt(bytes)) } else { Err(io::ErrorKind::Other.into()) }
    }

    pub(super) fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..].copy_from_slice(&self.0);
        head
    }

    /// Reads the salt of a pack; none if it does not begin like one.
    pub(super) fn of_head(head: &[u8; HEAD]) -> Option<Self> {
        let (magic, salt) = head.split_first_chunk()?;
        (magic == MAGIC).then(|| Some(Salt(salt.try_into().ok()?)))?
    }

    fn check(&self, bytes: &[u8]) -> [u8; 8] {
        let hash = blake3::keyed_hash(&self.0, bytes);
        let mut check = [0; 8];
        check.copy_from_slice(&hash.as_bytes()[..8]);
        check
    }

    /// Returns the trailer of a pack whose index of `count` entries begins at `at`.
    pub(super) fn trailer(&self, at: u64, count: u64) -> [u8; TRAILER] {
        let mut trailer = [0; TRAILER];
        trailer[..8].copy_from_slice(INDEX_MAGIC);
        trailer[8..16].copy_from_slice(&at.to_le_bytes());
        trailer[16..24].copy_from_slice(&count.to_le_bytes());
        let check = self.check(&trailer[..24]);
        trailer[24..].copy_from_slice(&check);
        trailer
    }

    /// Returns the offset of the index and its number of entries, for a pack of `len` bytes with this trailer.
    pub(super) fn index_of(&self, trailer: &[u8; TRAILER], len: u64) -> Option<(u64, u64)> {
        let (at, count) = (u64_at(trailer, 8)?, u64_at(trailer, 16)?);
        let end = count.checked_mul(ENTRY as u64)?.checked_add(at)?.checked_add(TRAILER as u64)?;
        (*trailer == self.trailer(at, count) && end == len).then_some((at, count))
    }
}

impl Slot {
    pub(super) fn encode(&self, salt: &Salt) -> [u8; ENTRY] {
        let Slot { key, offset, len, written } = self;
        let mut bytes = [0; ENTRY];
        bytes[..32].copy_from_slice(key.as_bytes());
        for (at, number) in [(32, offset), (40, len), (48, written)] {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let check = salt.check(&bytes[..56]);
        bytes[56..].copy_from_slice(&check);
        bytes
    }

    /// Decodes a slot; none if the bytes are not a slot of this pack.
    pub(super) fn decode(bytes: &[u8], salt: &Salt) -> Option<Self> {
        let slot = Slot {
            key: Digest::from_bytes(bytes.get(..32)?.try_into().ok()?),
            offset: u64_at(bytes, 32)?,
            len: u64_at(bytes, 40)?,
            written: u64_at(bytes, 48)?,
        };
        (bytes.get(56..64)? == salt.check(&bytes[..56])).then_some(slot)
    }

    /// Returns the offset of the record's last use.
    pub(super) fn used_at(&self) -> u64 {
        self.offset + ENTRY as u64
    }

    /// Returns the size of header and record.
    pub(super) fn size(&self) -> u64 {
        self.len.saturating_add(HEADER as u64)
    }

    /// Returns the offset of the next header.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.size())
    }
}
