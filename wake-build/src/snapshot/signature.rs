//! Signatures as they are written: compared byte by byte, without being taken apart.

use rustix::fs::{FileType, Stat};

use crate::files::Signature;

/// The bytes of a signature; equal ones are equal signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed([u8; Packed::SIZE]);

impl Packed {
    /// Their number.
    pub(super) const SIZE: usize = 44;

    /// Those of the signature in a `stat` result.
    #[inline]
    pub(super) fn of(stat: &Stat) -> Packed {
        Signature::of(stat).into()
    }

    /// Those of what [`result_signature`] gives.
    pub(super) fn of_result(stat: &Stat) -> Packed {
        result_signature(stat).into()
    }

    /// Those that were written.
    pub(super) fn written(bytes: [u8; Packed::SIZE]) -> Packed {
        Packed(bytes)
    }

    /// Those that were written; none if they say that there was nothing to write.
    pub(super) fn proof(bytes: [u8; Packed::SIZE]) -> Option<Packed> {
        (bytes != [0; Packed::SIZE]).then_some(Packed(bytes))
    }

    /// The bytes.
    pub(super) fn as_bytes(&self) -> &[u8; Packed::SIZE] {
        &self.0
    }
}

/// Nanoseconds since 1970 fit into 63 bits until 2262; a later time never compares equal.
impl From<Signature> for Packed {
    fn from(signature: Signature) -> Packed {
        let Signature { inode: (device, inode), size, mode, mtime, ctime } = signature;
        let time = |time: i128| i64::try_from(time).unwrap_or(i64::MIN).to_le_bytes();
        let mut bytes = [0; Packed::SIZE];
        bytes[..8].copy_from_slice(&device.to_le_bytes());
        bytes[8..16].copy_from_slice(&inode.to_le_bytes());
        bytes[16..24].copy_from_slice(&size.to_le_bytes());
        bytes[24..28].copy_from_slice(&mode.to_le_bytes());
        bytes[28..36].copy_from_slice(&time(mtime));
        bytes[36..].copy_from_slice(&time(ctime));
        Packed(bytes)
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
