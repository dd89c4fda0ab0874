//! Reading the file in which a command says what it has read. No process of it is alive any more, and no link is followed.

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

/// The bytes of the file at `path` from `base`; or what is wrong with it.
pub(crate) fn read(
    base: BorrowedFd<'_>,
    path: &RelPath,
) -> Result<Result<Vec<u8>, OutputFault>, JobError> {
    let fault = |defect| Ok(Err(OutputFault::new(path, defect)));
    let failed = |errno: Errno| JobError::step("read", path.as_str(), errno);
    // A pipe that was left there must not be waited for.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = match rustix::fs::openat2(base, path.as_str(), flags, Mode::empty(), STRAIGHT) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return fault(OutputDefect::NoDepfile),
        Err(Errno::LOOP | Errno::XDEV | Errno::NXIO) => return fault(OutputDefect::DepfileNoFile),
        Err(errno) => return Err(failed(errno)),
    };
    let found = rustix::fs::fstat(&file).map_err(failed)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return fault(OutputDefect::DepfileNoFile);
    }
    if found.st_size as u64 > LONGEST {
        return fault(OutputDefect::DepfileTooLarge { limit: LONGEST });
    }
    let mut bytes = Vec::with_capacity(found.st_size as usize);
    let read = File::from(file).take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| JobError::step("read", path.as_str(), error))?;
    Ok(Ok(bytes))
}
