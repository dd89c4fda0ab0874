//! The host side of networks for commands that others must be able to reach.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Mutex, PoisonError};

use crate::error::SandboxError;
use crate::network_place::{NetworkPlace, NetworkWish, is_listening};
use crate::wire::{self, Reply, RequestRef};

/// Loopback-only networks, one for each of several commands, with access to them for this process.
///
/// They exist until this is dropped.
#[derive(Debug)]
pub struct Networks {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Held(Holder),
    /// All commands use the machine's network.
    Host,
}

/// The process that holds the networks.
#[derive(Debug)]
struct Holder {
    socket: Mutex<UnixStream>,
    child: Child,
    places: Vec<NetworkPlace>,
}

impl Networks {
    /// Returns the machine's network, which all commands share.
    pub fn of_host() -> Self {
        Networks { kind: Kind::Host }
    }

    /// Returns the networks that the process at the other end holds, once it has created them.
    pub(crate) fn held(socket: UnixStream, child: Child, count: u32) -> Result<Self, SandboxError> {
        let mut holder = Holder { socket: Mutex::new(socket), child, places: Vec::new() };
        let socket = holder.socket.get_mut().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: io::Error| SandboxError::Worker(error.to_string());
        wire::send(socket, &RequestRef::Hold(count)).map_err(failed)?;
        match wire::receive(socket).map_err(failed)? {
            Some(Reply::Holds(held)) => holder.places = held?.places,
            _ => return Err(SandboxError::Worker("it cannot create the networks".to_owned())),
        }
        Ok(Networks { kind: Kind::Held(holder) })
    }

    /// Returns where the command with that number has its network; none if it uses the machine's.
    pub fn place(&self, number: usize) -> Option<NetworkPlace> {
        match &self.kind {
            Kind::Held(holder) => holder.places.get(number).copied(),
            Kind::Host => None,
        }
    }

    /// Creates a listening socket in the network with that number.
    pub fn listen(&self, number: usize, at: SocketAddrV4) -> io::Result<TcpListener> {
        match &self.kind {
            Kind::Host => TcpListener::bind(at),
            Kind::Held(holder) => {
                let wish = NetworkWish::Listen { network: index(number)?, at };
                Ok(holder.socket(wish)?.into())
            }
        }
    }

    /// Connects to what listens at a port in the network with that number.
    pub fn connect(&self, number: usize, port: u16) -> io::Result<TcpStream> {
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        match &self.kind {
            Kind::Host => TcpStream::connect(at),
            Kind::Held(holder) => {
                let wish = NetworkWish::Connect { network: index(number)?, at };
                Ok(holder.socket(wish)?.into())
            }
        }
    }

    /// Returns whether anything listens at a port in the network with that number, without connecting to it.
    pub fn is_listening(&self, number: usize, port: u16) -> io::Result<bool> {
        match &self.kind {
            Kind::Host => is_listening(port),
            Kind::Held(holder) => {
                let wish = NetworkWish::IsListening { network: index(number)?, port };
                let socket = holder.socket.lock().unwrap_or_else(PoisonError::into_inner);
                holder.granted(&socket, wish)
            }
        }
    }
}

fn index(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(io::Error::other)
}

impl Holder {
    fn socket(&self, wish: NetworkWish) -> io::Result<OwnedFd> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        self.granted(&socket, wish)?;
        let [file] = wire::receive_files(&socket)?;
        Ok(file)
    }

    fn granted(&self, socket: &UnixStream, wish: NetworkWish) -> io::Result<bool> {
        wire::send(socket, &RequestRef::Wish(wish))?;
        match wire::receive(socket)? {
            Some(Reply::Granted(Ok(granted))) => Ok(granted),
            Some(Reply::Granted(Err(errno))) => Err(io::Error::from_raw_os_error(errno)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // A process that has already ended is the desired result.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
