//! Streams of buffers through a port of the job instead of a pipe.
//!
//! As soon as the job listens, wake sends it the input and shuts down that direction; what the job sends back, up to its end, is the
//! output.

use std::fs::File;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wake_exec::Networks;

use crate::flow::{LOOK, wait_for_bytes};
use crate::pipes::{Given, Taken, Taker};

/// Connects to a port in the network of that number as soon as a process listens there; none if the job ends first.
pub(crate) fn connected(
    networks: &Networks,
    number: usize,
    port: u16,
    done: &AtomicBool,
) -> io::Result<Option<TcpStream>> {
    loop {
        if networks.is_listening(number, port)? {
            match networks.connect(number, port) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Some(stream));
                }
                // It no longer listens, or listens at another address.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
        if done.load(Ordering::Acquire) {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Returns a socket as a file, for `give` and takers.
pub(crate) fn as_file(stream: &TcpStream) -> io::Result<File> {
    Ok(File::from(OwnedFd::from(stream.try_clone()?)))
}

/// Calls `give` to write to a socket until it reports the end, or the peer reads no more.
pub(crate) fn send<E: From<io::Error>>(
    stream: &TcpStream,
    give: &mut dyn FnMut(&File) -> Result<Given, E>,
) -> Result<(), E> {
    let file = as_file(stream)?;
    while give(&file)? == Given::Some {}
    // Fails only if the peer has already closed the connection.
    let _ = stream.shutdown(Shutdown::Write);
    Ok(())
}

/// Passes the data of a socket to `taker` until its end, or until `taker` refuses more.
pub(crate) fn receive<E: From<io::Error>>(
    stream: &TcpStream,
    taker: &mut dyn Taker<E>,
) -> Result<(), E> {
    let file = as_file(stream)?;
    loop {
        let taken = match wait_for_bytes(&file)? {
            None => taker.nothing_came()?,
            Some(_) => match taker.take(&file)? {
                // The socket was readable, so no data means its end.
                Taken::Nothing => return Ok(()),
                taken => taken,
            },
        };
        if taken == Taken::Refused {
            return Ok(());
        }
    }
}
