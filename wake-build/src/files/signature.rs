//! Detecting by `stat` alone that a file is unchanged.

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use crate::fixed::{Fixed, fixed};

fixed! {
        /// What `stat` says of a file; equal signatures of settled files mean equal content.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct Signature {
        /// Device and inode.
        pub inode: (u64, u64),
                /// Size in bytes.
        pub size: u64,
        /// Type and permissions.
        pub mode: u32,
                /// Modification time in nanoseconds; [`i64::MAX`] for all times after the year 2262.
        pub mtime: i64,
                /// Change time in nanoseconds, likewise.
        pub ctime: i64,
    }
}

impl Signature {
    /// Returns the signature in a `stat` result.
    #[allow(clippy::useless_conversion, reason = "the fields' types differ between architectures")]
    pub(crate) fn of(stat: &Stat) -> Signature {
        let nanoseconds = |s: i64, ns: i64| {
            s.checked_mul(1_000_000_000).and_then(|s| s.checked_add(ns)).unwrap_or(i64::MAX)
        };
        Signature {
            inode: (stat.st_dev.into(), stat.st_ino.into()),
            size: stat.st_size.unsigned_abs(),
            mode: stat.st_mode,
            mtime: nanoseconds(stat.st_mtime.into(), stat.st_mtime_nsec as i64),
            ctime: nanoseconds(stat.st_ctime.into(), stat.st_ctime_nsec as i64),
        }
    }

    /// Returns whether the owner may execute the file.
    pub(crate) fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// Returns whether a file with this signature, examined when the clock showed `now`, can no longer change unnoticed.
    ///
    /// File systems with a resolution of one second are given two seconds.
    pub(crate) fn is_settled(&self, now: i128) -> bool {
        const TICK: i128 = 20_000_000;
        const COARSE: i128 = 2_000_000_000;
        let latest = i128::from(self.mtime.max(self.ctime));
        let coarse = self.ctime % 1_000_000_000 == 0;
        latest + if coarse { COARSE } else { TICK } < now
    }
}

impl From<Signature> for [u8; Signature::SIZE] {
    fn from(signature: Signature) -> [u8; Signature::SIZE] {
        let mut bytes = [0; Signature::SIZE];
        signature.put(&mut bytes.as_mut_slice());
        bytes
    }
}

impl From<[u8; Signature::SIZE]> for Signature {
    fn from(bytes: [u8; Signature::SIZE]) -> Signature {
        // There are always enough bytes.
        Signature::get(&mut bytes.as_slice()).unwrap_or_default()
    }
}

/// Returns the file systems' clock, in nanoseconds since 1970.
pub(crate) fn now() -> i128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::Signature;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn files_that_could_change_unnoticed_are_not_settled() {
        let now = 1_000 * SECOND;
        let is_settled = |mtime: i64, ctime: i64| {
            Signature { mtime, ctime, ..Signature::default() }.is_settled(now.into())
        };
        assert!(is_settled(now - SECOND, now - SECOND + 1));
        assert!(!is_settled(now - SECOND, now - 1), "changed in this tick of the clock");
        assert!(!is_settled(now - 1, now - SECOND + 1), "its bytes changed in this tick");
        // The clock was set back in between.
        assert!(!is_settled(now + SECOND, now - SECOND + 1));
        assert!(!is_settled(now - SECOND, now + 500 * SECOND + 1));
        // A file system with a resolution of one second.
        assert!(!is_settled(now - SECOND, now - SECOND));
        assert!(is_settled(now - 3 * SECOND, now - 3 * SECOND));
        // A time that cannot be distinguished from later ones.
        assert!(!is_settled(i64::MAX, now - SECOND));
    }
}
