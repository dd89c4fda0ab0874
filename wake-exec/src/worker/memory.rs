//! Adding up what a command holds in memory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, Mode, OFlags, fstatfs};

use super::kernel;

/// What all processes but this one and the given file systems hold, in bytes.
///
/// Memory that processes share counts once for each. What cannot be read counts as nothing: a process
/// that ends meanwhile.
pub(crate) fn used(proc: &OwnedFd, file_systems: &[BorrowedFd<'_>]) -> u64 {
    in_files(file_systems) + resident(proc.as_fd())
}

/// What those of the given file systems hold that lie in memory, in bytes.
pub(crate) fn in_files(file_systems: &[BorrowedFd<'_>]) -> u64 {
    file_systems
        .iter()
        .filter_map(|fs| fstatfs(fs).ok())
        .filter(|stat| stat.f_type == libc::TMPFS_MAGIC)
        .map(|stat| stat.f_blocks.saturating_sub(stat.f_bfree) * stat.f_bsize as u64)
        .sum()
}

/// What all processes that `proc` shows, but this one, hold resident, in bytes.
fn resident(proc: BorrowedFd<'_>) -> u64 {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(proc, ".", flags, Mode::empty());
    let Ok(entries) = opened.and_then(Dir::new) else { return 0 };
    let page = rustix::param::page_size() as u64;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok());
    pids.filter(|pid: &u32| *pid != 1).map(|pid| resident_pages(proc, pid) * page).sum()
}

fn resident_pages(proc: BorrowedFd<'_>, pid: u32) -> u64 {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut buffer = [0; 128];
    let read = rustix::fs::openat(proc, format!("{pid}/statm"), flags, Mode::empty())
        .and_then(|file| kernel::read_some(&file, &mut buffer));
    let text = std::str::from_utf8(&buffer[..read.unwrap_or(0)]).unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}
