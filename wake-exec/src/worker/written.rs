//! Reads files in which a command reports about itself. No process of it is alive any more, and no link is followed.

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use wake_model::RelPath;

use super::place::STRAIGHT;
use crate::finished::{OutputDefect, OutputFault};
use crate::wire::JobError;

/// The most bytes that are read.
const LONGEST: u64 = 16 << 20;

/// What is wrong with the file: it is not a regular file, or too large.
enum Defect {
    Absent,
    NoFile,
    TooLarge,
}

/// Returns the bytes of the depfile at `path` below `base`, or what is wrong with it.
pub(crate) fn depfile(
    base: BorrowedFd<'_>,
    path: &RelPath,
) -> Result<Result<Vec<u8>, OutputFault>, JobError> {
    let fault = |defect| {
        let defect = match defect {
            Defect::Absent => OutputDefect::NoDepfile,
            Defect::NoFile => OutputDefect::DepfileNoFile,
            Defect::TooLarge => OutputDefect::DepfileTooLarge { limit: LONGEST },
        };
        OutputFault::new(path, defect)
    };
    Ok(read(base, path)?.map_err(fault))
}

/// Returns the bytes of the test report at `path` below `base`, or what is wrong with it; none if there is none.
pub(crate) fn report(
    base: BorrowedFd<'_>,
    path: &RelPath,
) -> Result<Option<Result<Vec<u8>, OutputFault>>, JobError> {
    let defect = match read(base, path)? {
        Ok(bytes) => return Ok(Some(Ok(bytes))),
        Err(Defect::Absent) => return Ok(None),
        Err(Defect::NoFile) => OutputDefect::ReportNoFile,
        Err(Defect::TooLarge) => OutputDefect::ReportTooLarge { limit: LONGEST },
    };
    Ok(Some(Err(OutputFault::new(path, defect))))
}

fn read(base: BorrowedFd<'_>, path: &RelPath) -> Result<Result<Vec<u8>, Defect>, JobError> {
    let failed = |errno: Errno| JobError::step("read", path.as_str(), errno);
    // A pipe left there must not block.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = match rustix::fs::openat2(base, path.as_str(), flags, Mode::empty(), STRAIGHT) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Err(Defect::Absent)),
        Err(Errno::LOOP | Errno::XDEV | Errno::NXIO) => return Ok(Err(Defect::NoFile)),
        Err(errno) => return Err(failed(errno)),
    };
    let found = rustix::fs::fstat(&file).map_err(failed)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Ok(Err(Defect::NoFile));
    }
    if found.st_size as u64 > LONGEST {
        return Ok(Err(Defect::TooLarge));
    }
    let mut bytes = Vec::with_capacity(found.st_size as usize);
    let read = File::from(file).take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| JobError::step("read", path.as_str(), error))?;
    Ok(Ok(bytes))
}
