//! The protocol between executor and worker: frames of a length and a postcard value.
//!
//! Both ends are the same program, so the encoding has no version.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wake_model::{Outcome, SandboxLevel};

use crate::error::SandboxError;
use crate::finished::JobResult;
use crate::groups::GroupDirs;
use crate::job::{Identity, Job, Network, Stream};
use crate::network_place::{HeldNetworks, NetworkPlace, NetworkWish};
use crate::scheduling::Scheduling;
use crate::visit::Visit;

/// The settings that a worker keeps for life; jobs that need others are given to another worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct WorkerClass {
    pub(crate) level: SandboxLevel,
    pub(crate) identity: Identity,
    pub(crate) network: Network,
    pub(crate) place: Option<NetworkPlace>,
}

impl WorkerClass {
    pub(crate) fn of(job: &Job) -> Self {
        let Job { level, ref identity, network, place, .. } = *job;
        WorkerClass { level, identity: identity.clone(), network, place }
    }
}

/// [`Request`] as the executor holds it: encoded identically, variant by variant.
#[derive(Serialize)]
pub(crate) enum RequestRef<'a> {
    Become(&'a WorkerClass, &'a Option<Scheduling>),
    Run(&'a Job, Option<&'a GroupDirs>),
    Go,
    Cancel,
    Visit(&'a Job, Option<&'a GroupDirs>, &'a Visit),
    Streams,
    Hold(u32),
    Wish(NetworkWish),
}

/// A message from the executor.
#[derive(Deserialize)]
pub(crate) enum Request {
    /// First and only once, with the scheduling of commands if it is known.
    Become(WorkerClass, Option<Scheduling>),
    /// Prepare to run this, in this control group if there is one; answered by [`Reply::Done`].
    Run(Box<Job>, Option<GroupDirs>),
    /// The command may start. Follows every [`Request::Run`], even one that has failed by then.
    Go,
    /// Stop what is running; ignored if nothing is.
    Cancel,
    /// As [`Request::Run`], with a visit.
    Visit(Box<Job>, Option<GroupDirs>, Box<Visit>),
    /// The answer to [`Reply::Welcome`], followed by the descriptors of the visit's streams.
    Streams,
    /// First and only once, instead of [`Request::Become`]: hold this many networks.
    Hold(u32),
    /// To a worker that holds networks; answered by [`Reply::Granted`].
    Wish(NetworkWish),
}

/// A message from the worker.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The answer to [`Request::Become`], with the worker's process ID as the executor sees it.
    Ready(Result<i32, JobError>),
    /// What the command has just written, if that is to be reported at once.
    Wrote(Stream, #[serde(with = "serde_bytes")] Vec<u8>),
    /// A visit can begin; with how the job's own command ended, if it was to run.
    Welcome(Option<Result<Outcome, JobError>>),
    /// The answer to [`Request::Run`].
    Done(Box<Result<JobResult, JobError>>),
    /// The answer to [`Request::Hold`].
    Holds(Result<HeldNetworks, JobError>),
    /// The answer to [`Request::Wish`]: the result, or the kernel's error. A requested socket follows.
    Granted(Result<bool, i32>),
}

/// A [`SandboxError`] as it occurs in the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum JobError {
    Unavailable { missing: String, errno: i32 },
    Changed { paths: Vec<PathBuf> },
    NotStarted { program: String, errno: i32 },
    Step { step: String, path: PathBuf, errno: i32 },
    BadJob { path: String, reason: String },
    OutOfDisk { bytes: u64, files: u64, held: u64 },
    DiskFull { reserve: u64 },
    Cancelled,
}

impl JobError {
    pub(crate) fn step(step: &str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        JobError::Step { step: step.to_owned(), path: path.into(), errno: errno(source) }
    }

    pub(crate) fn unavailable(missing: &str, source: impl Into<io::Error>) -> Self {
        JobError::Unavailable { missing: missing.to_owned(), errno: errno(source) }
    }

    /// Returns whether the kernel was out of memory.
    pub(crate) fn is_for_memory(&self) -> bool {
        matches!(
            self,
            JobError::Step { errno: libc::ENOMEM, .. }
                | JobError::NotStarted { errno: libc::ENOMEM, .. }
        )
    }

    pub(crate) fn bad_job(path: impl Into<String>, reason: &str) -> Self {
        JobError::BadJob { path: path.into(), reason: reason.to_owned() }
    }
}

fn errno(source: impl Into<io::Error>) -> i32 {
    source.into().raw_os_error().unwrap_or(libc::EIO)
}

impl From<JobError> for SandboxError {
    fn from(failure: JobError) -> Self {
        let os = io::Error::from_raw_os_error;
        match failure {
            JobError::Unavailable { missing, errno } => {
                SandboxError::unavailable(&missing, os(errno))
            }
            JobError::Changed { paths } => SandboxError::Changed { paths },
            JobError::NotStarted { program, errno } => {
                SandboxError::NotStarted { program, source: os(errno) }
            }
            JobError::Step { step, path, errno } => SandboxError::step(&step, path, os(errno)),
            JobError::BadJob { path, reason } => SandboxError::BadJob { path, reason },
            JobError::OutOfDisk { bytes, files, held } => {
                SandboxError::OutOfDisk { bytes, files, held }
            }
            JobError::DiskFull { reserve } => SandboxError::DiskFull { reserve },
            JobError::Cancelled => SandboxError::Cancelled,
        }
    }
}

/// Sends one value.
pub(crate) fn send<T: Serialize>(socket: &UnixStream, value: &T) -> io::Result<()> {
    let mut frame = postcard::to_io(value, vec![0; 4]).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    let mut to: &UnixStream = socket;
    to.write_all(&frame)
}

/// Receives one value; none if the other end is closed.
pub(crate) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<T>> {
    let mut from: &UnixStream = socket;
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        other => other?,
    }
    let mut frame = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut frame)?;
    postcard::from_bytes(&frame).map(Some).map_err(io::Error::other)
}

/// Sends descriptors, which stay open here.
pub(crate) fn send_files<const N: usize>(
    socket: &UnixStream,
    files: &[BorrowedFd<'_>; N],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if N > MOST_FILES || !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives as many descriptors, with close-on-exec set.
pub(crate) fn receive_files<const N: usize>(socket: &UnixStream) -> io::Result<[OwnedFd; N]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = Vec::with_capacity(N);
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            files.extend(rights);
        }
    }
    files.try_into().map_err(|_| io::ErrorKind::UnexpectedEof.into())
}

/// The most descriptors sent at once: standard input, output and error.
const MOST_FILES: usize = 3;
