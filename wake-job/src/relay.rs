//! Routes from the network of a job into those of its workers: each connection to a worker's address is forwarded to the worker.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};

use wake_exec::Networks;

use crate::flow::{LOOK, PIECE, wait_for_bytes};

/// A route from an address in a job's network to the port on which a worker listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// The number of the job's network.
    pub(crate) from: usize,
    /// The address of the worker in that network.
    pub(crate) at: SocketAddrV4,
    /// The number of the worker's network.
    pub(crate) to: usize,
    /// The port on which the worker listens.
    pub(crate) port: u16,
}

impl Way {
    /// Opens the route until `over`.
    pub(crate) fn open<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        networks: &'scope Networks,
        over: &'scope AtomicBool,
    ) -> io::Result<()> {
        let listener = networks.listen(self.from, self.at)?;
        listener.set_nonblocking(true)?;
        scope.spawn(move || self.serve(scope, &listener, networks, over));
        Ok(())
    }

    fn serve<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        listener: &TcpListener,
        networks: &'scope Networks,
        over: &'scope AtomicBool,
    ) {
        while !over.load(Ordering::Acquire) {
            match listener.accept() {
                Ok((visitor, _)) => {
                    scope.spawn(move || self.lead(visitor, networks, over));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = wait_for_bytes(listener);
                }
                // The client has gone again, or there are temporarily no free file descriptors.
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    /// Forwards a connection to the worker as soon as it listens, until both sides have closed it.
    fn lead(self, visitor: TcpStream, networks: &Networks, over: &AtomicBool) {
        let worker = loop {
            if over.load(Ordering::Acquire) {
                return;
            }
            let is_there = networks.is_listening(self.to, self.port).unwrap_or(false);
            match is_there.then(|| networks.connect(self.to, self.port)) {
                Some(Ok(worker)) => break worker,
                // It has ended, and is being restarted.
                Some(Err(_)) | None => thread::sleep(LOOK),
            }
        };
        let _ =
            (visitor.set_nonblocking(false), visitor.set_nodelay(true), worker.set_nodelay(true));
        thread::scope(|scope| {
            scope.spawn(|| pass(&visitor, &worker));
            pass(&worker, &visitor);
        });
    }
}

/// Copies everything from one connection to the other; if one breaks off, so does the other.
fn pass(mut from: &TcpStream, mut to: &TcpStream) {
    let mut bytes = vec![0; PIECE];
    loop {
        let gone = match from.read(&mut bytes) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(many) => to.write_all(&bytes[..many]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        };
        if gone.is_err() {
            // Both peers notice, and so does the thread that copies in the other direction.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
    }
}

/// Returns the address of a worker in a job's network.
pub(crate) fn address(text: &str, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(text.parse().unwrap_or(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn data_is_forwarded_in_both_directions_up_to_the_end() {
        let networks = Networks::of_host();
        let worker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = worker.local_addr().unwrap().port();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = address("127.0.0.1", free.local_addr().unwrap().port());
        drop(free);
        let over = AtomicBool::new(false);
        let long = vec![7; 3 << 20];
        thread::scope(|scope| {
            Way { from: 0, at, to: 1, port }.open(scope, &networks, &over).unwrap();
            for _ in 0..2 {
                let mut job = TcpStream::connect(at).unwrap();
                let (mut heard, _) = worker.accept().unwrap();
                scope.spawn(move || {
                    let mut all = Vec::new();
                    heard.read_to_end(&mut all).unwrap();
                    // It answers after it has received everything.
                    heard.write_all(&all[1..]).unwrap();
                    drop(heard);
                });
                job.write_all(&long).unwrap();
                job.shutdown(Shutdown::Write).unwrap();
                let mut answer = Vec::new();
                job.read_to_end(&mut answer).unwrap();
                assert!(answer == long[1..]);
            }
            over.store(true, Ordering::Release);
        });
    }
}
