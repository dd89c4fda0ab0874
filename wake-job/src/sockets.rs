//! Streams of buffers that a job has at a port instead of in a pipe.
//!
//! As soon as the job listens there, it is sent the input, whose end is the end of what it is sent, and what it sends is the output,
//! until it has sent all.

use std::fs::File;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wake_exec::Networks;

use crate::flow::{LOOK, wait_for_bytes};
use crate::pipes::{Given, Taken, Taker};

/// Connects to what listens at a port in the network of that number; none if nothing does until the job has ended.
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
                // It listens no more, or elsewhere.
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

/// A stream as the file that `give` and takers work with.
pub(crate) fn as_file(stream: &TcpStream) -> io::Result<File> {
    Ok(File::from(OwnedFd::from(stream.try_clone()?)))
}

/// Has `give` send to a socket until that was all, or nobody takes more.
pub(crate) fn send<E: From<io::Error>>(
    stream: &TcpStream,
    give: &mut dyn FnMut(&File) -> Result<Given, E>,
) -> Result<(), E> {
    let file = as_file(stream)?;
    while give(&file)? == Given::Some {}
    // Who has gone has heard the end.
    let _ = stream.shutdown(Shutdown::Write);
    Ok(())
}

/// Has what comes from a socket be taken until its end, or `taker` takes no more.
pub(crate) fn receive<E: From<io::Error>>(
    stream: &TcpStream,
    taker: &mut dyn Taker<E>,
) -> Result<(), E> {
    let file = as_file(stream)?;
    loop {
        let taken = match wait_for_bytes(&file)? {
            None => taker.nothing_came()?,
            Some(_) => match taker.take(&file)? {
                // There was something to be read, and that was the end.
                Taken::Nothing => return Ok(()),
                taken => taken,
            },
        };
        if taken == Taken::Refused {
            return Ok(());
        }
    }
}
