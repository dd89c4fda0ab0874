//! Adds up what a command holds in memory.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstatfs};
use rustix::io::Errno;

use super::{kernel, sysv};

/// Returns what all processes but this one, the given file systems, unnamed files in memory, System V segments, pipes
/// and sockets hold, in bytes.
///
/// Memory that processes share counts once for each. What cannot be read, such as a process that ends meanwhile, counts
/// as nothing.
pub(crate) fn used(proc: &OwnedFd, file_systems: &[BorrowedFd<'_>]) -> u64 {
    let (proc, pids) = (proc.as_fd(), processes(proc.as_fd()));
    let mut held = Held { segments: sysv::held(), ..Held::default() };
    pids.iter().for_each(|pid| held.add(proc, *pid));
    let nameless = held.nameless.values().sum::<u64>() + held.segments;
    // What processes have mapped of these is included in their resident memory.
    let counted = match nameless {
        0 => 0,
        _ => pids.iter().map(|pid| resident_in_files(proc, *pid)).sum(),
    };
    let pipes: u64 = held.pipes.values().sum();
    let sockets = (held.sockets.len() as u64).saturating_sub(SOCKETS) * SOCKET;
    in_files(file_systems) + held.resident + nameless.saturating_sub(counted) + pipes + sockets
}

/// Returns the size of open files that no longer have a name, in bytes, except those on one of `devices` and unnamed
/// files in memory.
pub(crate) fn in_deleted_files(proc: BorrowedFd<'_>, devices: &[u64]) -> u64 {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut found = HashMap::new();
    for pid in processes(proc) {
        let opened = rustix::fs::openat(proc, format!("{pid}/fd"), flags, Mode::empty());
        let Ok((dir, entries)) = opened.and_then(|dir| Dir::read_from(&dir).map(|all| (dir, all)))
        else {
            continue;
        };
        for descriptor in entries.flatten() {
            let stat = rustix::fs::statat(&dir, descriptor.file_name(), AtFlags::empty());
            if let Ok(stat) = stat
                && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && stat.st_nlink == 0
                && Some(stat.st_dev) != Devices::own().nameless
                && !devices.contains(&stat.st_dev)
            {
                found.insert((stat.st_dev, stat.st_ino), stat.st_blocks.unsigned_abs() * 512);
            }
        }
    }
    found.values().sum()
}

/// Returns what those of the given file systems hold that are in memory, in bytes.
pub(crate) fn in_files(file_systems: &[BorrowedFd<'_>]) -> u64 {
    file_systems
        .iter()
        .filter_map(|fs| fstatfs(fs).ok())
        .filter(|stat| stat.f_type == libc::TMPFS_MAGIC)
        .map(|stat| stat.f_blocks.saturating_sub(stat.f_bfree) * stat.f_bsize as u64)
        .sum()
}

/// What processes hold.
#[derive(Default)]
struct Held {
    /// Resident memory, in bytes.
    resident: u64,
    /// System V segments, in bytes.
    segments: u64,
    /// Unnamed files in memory: bytes by inode.
    nameless: HashMap<u64, u64>,
    /// Pipes: bytes by device and inode.
    pipes: HashMap<(u64, u64), u64>,
    /// Sockets, by inode.
    sockets: HashSet<u64>,
}

/// The bytes that can be sent to a socket that nobody reads, as configured on most systems.
const SOCKET: u64 = 208 << 10;

/// This many sockets are not counted: most programs have a few, which hold little.
const SOCKETS: u64 = 64;

/// The size that a named pipe counts as, in bytes: opening it could wake up writers that wait for a reader.
const NAMED_PIPE: u64 = 64 << 10;

impl Held {
    /// Adds what one process holds.
    fn add(&mut self, proc: BorrowedFd<'_>, pid: u32) {
        let mut buffer = [0; 128];
        let statm = read(proc, &format!("{pid}/statm"), &mut buffer);
        let resident = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        self.resident += resident.unwrap_or(0) * rustix::param::page_size() as u64;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(proc, format!("{pid}/fd"), flags, Mode::empty());
        let Ok((dir, entries)) = opened.and_then(|dir| Dir::read_from(&dir).map(|all| (dir, all)))
        else {
            return;
        };
        for descriptor in entries.flatten() {
            self.add_descriptor(dir.as_fd(), descriptor.file_name());
        }
    }

    fn add_descriptor(&mut self, dir: BorrowedFd<'_>, name: &CStr) {
        let Ok(stat) = rustix::fs::statat(dir, name, AtFlags::empty()) else { return };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if Some(stat.st_dev) == Devices::own().nameless => {
                self.nameless.insert(stat.st_ino, stat.st_blocks.unsigned_abs() * 512);
            }
            FileType::Fifo => {
                let has_name = Some(stat.st_dev) != Devices::own().pipes;
                let bytes = || if has_name { NAMED_PIPE } else { in_pipe(dir, name) };
                self.pipes.entry((stat.st_dev, stat.st_ino)).or_insert_with(bytes);
            }
            FileType::Socket => _ = self.sockets.insert(stat.st_ino),
            _ => {}
        }
    }
}

/// Returns the number of bytes in a pipe.
///
/// Having one more reader for a moment reveals nothing: a writer without readers gets its error a moment later.
fn in_pipe(dir: BorrowedFd<'_>, name: &CStr) -> u64 {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(dir, name, flags, Mode::empty());
    opened.and_then(rustix::io::ioctl_fionread).unwrap_or(0)
}

/// Returns the IDs of all processes in `proc` except this one.
fn processes(proc: BorrowedFd<'_>) -> Vec<u32> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(proc, ".", flags, Mode::empty());
    let Ok(entries) = opened.and_then(Dir::new) else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok());
    pids.filter(|pid| *pid != 1).collect()
}

/// Returns the part of a process's resident memory that is files in memory, in bytes.
fn resident_in_files(proc: BorrowedFd<'_>, pid: u32) -> u64 {
    let mut buffer = [0; 4096];
    let status = read(proc, &format!("{pid}/status"), &mut buffer);
    let line = status.lines().find_map(|line| line.strip_prefix("RssShmem:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Returns the beginning of a file of `proc`; nothing if it does not exist any more.
fn read<'b>(proc: BorrowedFd<'_>, path: &str, buffer: &'b mut [u8]) -> &'b str {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let length = rustix::fs::openat(proc, path, flags, Mode::empty())
        .and_then(|file| kernel::read_some(&file, buffer));
    std::str::from_utf8(&buffer[..length.unwrap_or(0)]).unwrap_or_default()
}

/// The device numbers that the kernel reports for unnamed objects.
struct Devices {
    nameless: Option<u64>,
    pipes: Option<u64>,
}

impl Devices {
    fn own() -> &'static Devices {
        static OWN: OnceLock<Devices> = OnceLock::new();
        OWN.get_or_init(|| {
            let device =
                |fd: Result<OwnedFd, Errno>| Some(rustix::fs::fstat(fd.ok()?).ok()?.st_dev);
            let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
            Devices {
                nameless: device(kernel::memory_file(c"device", b"")),
                pipes: device(pipe.map(|(read, _)| read)),
            }
        })
    }
}
