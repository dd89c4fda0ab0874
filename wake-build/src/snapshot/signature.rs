//! Signatures in written form: compared byte by byte, without decoding.

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

use crate::files::Signature;
use crate::fixed::Fixed;

/// The bytes of a signature; equal bytes mean equal signatures. Where one is stored as proof, [`Proof::NONE`] means that
/// there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Signature", into = "Signature")]
pub(crate) struct Proof([u8; Proof::SIZE]);

impl Proof {
    /// The number of bytes.
    pub(super) const SIZE: usize = Signature::SIZE;
    /// The signature of nothing: no file has it.
    pub(super) const NONE: Proof = Proof([0; Proof::SIZE]);

    /// Returns the signature in a `stat` result.
    pub(super) fn of(stat: &Stat) -> Proof {
        Signature::of(stat).into()
    }

    /// Returns the signature of a file examined when the clock showed `looked`, if it will reveal changes.
    pub(super) fn if_settled(signature: Signature, looked: i128) -> Proof {
        if signature.is_settled(looked) { signature.into() } else { Proof::NONE }
    }

    /// Reads a written signature; [`Proof::NONE`] if the length is wrong.
    pub(super) fn read(bytes: &[u8]) -> Proof {
        bytes.try_into().map_or(Proof::NONE, Proof)
    }

    /// Returns the bytes.
    pub(super) const fn as_bytes(&self) -> &[u8; Proof::SIZE] {
        &self.0
    }
}

impl From<Signature> for Proof {
    fn from(signature: Signature) -> Proof {
        Proof(signature.into())
    }
}

impl From<Proof> for Signature {
    fn from(packed: Proof) -> Signature {
        packed.0.into()
    }
}

/// Returns a signature that reveals changes in a result. The change time of a directory is left out: recording
/// its last use moves it. Its modification time moves whenever an entry is created or deleted.
pub(super) fn result_signature(stat: &Stat) -> Signature {
    let signature = Signature::of(stat);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Signature { ctime: 0, ..signature },
        _ => signature,
    }
}
