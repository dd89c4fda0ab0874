//! Signatures as they are written: compared byte by byte, without being taken apart.

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

use crate::files::Signature;
use crate::fixed::Fixed;

/// The bytes of a signature; equal ones are equal signatures. Where one is kept as proof, [`Proof::NONE`] says that
/// there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Signature", into = "Signature")]
pub(crate) struct Proof([u8; Proof::SIZE]);

impl Proof {
    /// Their number.
    pub(super) const SIZE: usize = Signature::SIZE;
    /// The signature of nothing: no file has it.
    pub(super) const NONE: Proof = Proof([0; Proof::SIZE]);

    /// Those of the signature in a `stat` result.
    pub(super) fn of(stat: &Stat) -> Proof {
        Signature::of(stat).into()
    }

    /// Those of a file that was looked at when the clock said `looked`, if they will tell a change.
    pub(super) fn if_settled(signature: Signature, looked: i128) -> Proof {
        if signature.is_settled(looked) { signature.into() } else { Proof::NONE }
    }

    /// Those that were written; [`Proof::NONE`] if they are not so many.
    pub(super) fn read(bytes: &[u8]) -> Proof {
        bytes.try_into().map_or(Proof::NONE, Proof)
    }

    /// The bytes.
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

/// What tells whether something in a result was touched. Of a directory, the change time tells nothing: noting
/// its last use moves it. Its modification time moves whenever an entry comes or goes.
pub(super) fn result_signature(stat: &Stat) -> Signature {
    let signature = Signature::of(stat);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Signature { ctime: 0, ..signature },
        _ => signature,
    }
}
