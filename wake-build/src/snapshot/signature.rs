//! Signatures as they are written: compared byte by byte, without being taken apart.

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

use crate::files::Signature;
use crate::fixed::Fixed;

/// The bytes of a signature; equal ones are equal signatures. Where one is kept as proof, [`Packed::NONE`] says that
/// there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Signature", into = "Signature")]
pub(crate) struct Packed([u8; Packed::SIZE]);

impl Packed {
    /// Their number.
    pub(super) const SIZE: usize = Signature::SIZE;
    /// The signature of nothing: no file has it.
    pub(super) const NONE: Packed = Packed([0; Packed::SIZE]);

    /// Those of the signature in a `stat` result.
    pub(super) fn of(stat: &Stat) -> Packed {
        Signature::of(stat).into()
    }

    /// Those of a file that was looked at when the clock said `looked`, if they will tell a change.
    pub(super) fn proof(signature: Signature, looked: i128) -> Packed {
        if signature.is_settled(looked) { signature.into() } else { Packed::NONE }
    }

    /// Those that were written; [`Packed::NONE`] if they are not so many.
    pub(super) fn read(bytes: &[u8]) -> Packed {
        bytes.try_into().map_or(Packed::NONE, Packed)
    }

    /// The bytes.
    pub(super) const fn as_bytes(&self) -> &[u8; Packed::SIZE] {
        &self.0
    }
}

impl From<Signature> for Packed {
    fn from(signature: Signature) -> Packed {
        Packed(signature.into())
    }
}

impl From<Packed> for Signature {
    fn from(packed: Packed) -> Signature {
        packed.0.into()
    }
}

/// What tells whether something in a result was touched. Of a directory, the change time tells nothing: noting
/// its last use moves it. Its modification time moves whenever an entry comes or goes.
pub(super) fn result_signature(stat: &Stat) -> Signature {
    let signature = Signature::of(stat);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Signature { ctime: 0, ..signature },
        _ => signature,
    }
}
