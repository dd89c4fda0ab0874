//! The memory use of a worker.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

/// Measures the current memory use of this process.
///
/// Not the peak value of `getrusage(2)`: that includes the memory of the parent process at the time of the fork,
/// which is large in a large build.
pub(crate) struct Resident {
    /// `None` if the system does not provide it.
    statm: Option<OwnedFd>,
    /// Determined once, because it is read from files that a worker cannot read later.
    page_size: u64,
}

impl Resident {
    pub(crate) fn of_this_process() -> Resident {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let statm = rustix::fs::open("/proc/self/statm", flags, Mode::empty()).ok();
        Resident { statm, page_size: rustix::param::page_size() as u64 }
    }

    /// Returns the resident memory in bytes. Source: `proc_pid_statm(5)`, the second number.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let mut buffer = [0; 128];
        let length = rustix::io::pread(self.statm.as_ref()?, &mut buffer, 0).ok()?;
        let text = std::str::from_utf8(&buffer[..length]).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * self.page_size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_counts_as_long_as_it_is_held() {
        const SIZE: usize = 256 << 20;
        let resident = Resident::of_this_process();
        let before = resident.bytes().unwrap();
        let held = vec![1u8; SIZE];
        let (during, last) = (resident.bytes().unwrap(), std::hint::black_box(&held)[SIZE - 1]);
        drop(held);
        let after = resident.bytes().unwrap();
        let half = SIZE as u64 / 2;
        assert!(last == 1 && during > before + half && after + half < during);
    }
}
