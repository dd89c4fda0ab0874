//! Holds networks for commands that others must be able to reach: each has only loopback, and this process can create
//! sockets in all of them.
//!
//! They are created before any command exists and outlive each command, so that a restarted one is in the same network
//! as before.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::kernel;
use crate::network_place::{HeldNetworks, NetworkPlace, NetworkWish, is_listening};
use crate::wire::{self, JobError, Reply, Request};

/// A program on the same machine answers at once, or its queue is full.
const CONNECT: Duration = Duration::from_secs(1);

/// Holds `count` networks, and creates sockets in them for the executor at the other end of `socket`, until that is
/// closed.
pub(crate) fn hold(count: u32, socket: &UnixStream) -> ExitCode {
    let (networks, held) = match networks(count) {
        Ok((networks, held)) => (networks, Ok(held)),
        Err(failure) => (Vec::new(), Err(failure)),
    };
    if wire::send(socket, &Reply::Holds(held)).is_err() {
        return ExitCode::from(2);
    }
    loop {
        match wire::receive(socket) {
            Ok(Some(Request::Wish(wish))) => {
                if answer(&networks, &wish, socket).is_err() {
                    return ExitCode::SUCCESS;
                }
            }
            Ok(None) => return ExitCode::SUCCESS,
            Ok(Some(_)) | Err(_) => return ExitCode::from(2),
        }
    }
}

fn networks(count: u32) -> Result<(Vec<OwnedFd>, HeldNetworks), JobError> {
    let refused = |errno| JobError::unavailable("network namespaces", errno);
    let users = enter()?;
    let mut all = Vec::new();
    for number in 0..count {
        if number > 0 {
            kernel::unshare(libc::CLONE_NEWNET).map_err(refused)?;
        }
        kernel::loopback_up().map_err(refused)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let network = rustix::fs::openat(CWD, "/proc/self/ns/net", flags, Mode::empty());
        all.push(network.map_err(|errno| JobError::step("open", "/proc/self/ns/net", errno))?);
    }
    let holder = i32::try_from(std::process::id()).unwrap_or_default();
    let places =
        all.iter().map(|network| NetworkPlace { holder, file: network.as_raw_fd(), users });
    let places = places.collect();
    Ok((all, HeldNetworks { places }))
}

/// Enters a network namespace of its own; returns whether that required a user namespace of its own as well.
fn enter() -> Result<bool, JobError> {
    if rustix::process::geteuid().is_root() && kernel::unshare(libc::CLONE_NEWNET).is_ok() {
        return Ok(false);
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    kernel::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)
        .map_err(|errno| JobError::unavailable("user namespaces", errno))?;
    let write = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text).map_err(|error| JobError::unavailable("mapping user numbers", error))
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("{uid} {uid} 1\n"))?;
    write("gid_map", format!("{gid} {gid} 1\n"))?;
    Ok(true)
}

/// Moves this process into the network that another process holds.
pub(crate) fn join(place: NetworkPlace) -> Result<(), JobError> {
    let NetworkPlace { holder, file, users } = place;
    let enter = |path: String, kind: LinkNameSpaceType| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty())
            .and_then(|namespace| move_into_link_name_space(namespace.as_fd(), Some(kind)))
            .map_err(|errno| JobError::unavailable("network namespaces", errno))
    };
    // Before any other namespace is entered: the path has the same meaning as for the executor.
    let network = format!("/proc/{holder}/fd/{file}");
    if users {
        enter(format!("/proc/{holder}/ns/user"), LinkNameSpaceType::User)?;
    }
    enter(network, LinkNameSpaceType::Network)
}

fn answer(networks: &[OwnedFd], wish: &NetworkWish, socket: &UnixStream) -> io::Result<()> {
    let made = granted(networks, wish);
    let (file, listening) = match &made {
        Ok(Granted::Socket(file)) => (Some(file), Ok(true)),
        Ok(Granted::Listening(listening)) => (None, Ok(*listening)),
        Err(error) => (None, Err(error.raw_os_error().unwrap_or(libc::EIO))),
    };
    wire::send(socket, &Reply::Granted(listening))?;
    match file {
        Some(file) => wire::send_files(socket, &[file.as_fd()]),
        None => Ok(()),
    }
}

enum Granted {
    Socket(OwnedFd),
    Listening(bool),
}

fn granted(networks: &[OwnedFd], wish: &NetworkWish) -> io::Result<Granted> {
    let (NetworkWish::Listen { network, .. }
    | NetworkWish::Connect { network, .. }
    | NetworkWish::IsListening { network, .. }) = *wish;
    let network = networks.get(network as usize).ok_or(Errno::NODEV)?;
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(match *wish {
        NetworkWish::Listen { at, .. } => Granted::Socket(TcpListener::bind(at)?.into()),
        NetworkWish::Connect { at, .. } => {
            Granted::Socket(TcpStream::connect_timeout(&at.into(), CONNECT)?.into())
        }
        NetworkWish::IsListening { port, .. } => Granted::Listening(is_listening(port)?),
    })
}
