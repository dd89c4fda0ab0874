//! Where commands have networks that others must be able to reach.

use std::fs;
use std::io;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

/// A network that another process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkPlace {
    /// The holding process, as the executor sees it.
    pub(crate) holder: i32,
    /// The file descriptor in that process that refers to the network.
    pub(crate) file: i32,
    /// Whether the network is in another user namespace than the executor.
    pub(crate) users: bool,
}

/// The networks that a process holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeldNetworks {
    pub(crate) places: Vec<NetworkPlace>,
}

/// A request concerning the network with the given number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum NetworkWish {
    /// A listening socket.
    Listen { network: u32, at: SocketAddrV4 },
    /// A connection to what listens there.
    Connect { network: u32, at: SocketAddrV4 },
    /// Whether anything listens at this port.
    IsListening { network: u32, port: u16 },
}

/// Returns whether anything listens at a port in the network of this process, at whichever address.
///
/// No connection is made, which the listener might take for a client. Source: proc_net_tcp in the kernel documentation.
pub(crate) fn is_listening(port: u16) -> io::Result<bool> {
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        match fs::read_to_string(table) {
            Ok(text) if lists(&text, port) => return Ok(true),
            Ok(_) => {}
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Returns whether a socket table has a socket that listens at `port`.
fn lists(table: &str, port: u16) -> bool {
    const LISTENS: &str = "0A";
    let is_one = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next()?.rsplit_once(':')?.1;
        let state = words.nth(1)?;
        Some(state == LISTENS && u16::from_str_radix(local, 16) == Ok(port))
    };
    table.lines().skip(1).any(|line| is_one(line) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn listening_sockets_are_in_the_tables_of_the_kernel() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:232A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1\n   \
                     1: 0100007F:1F90 0100007F:E2A4 01 00000000:00000000 00:00000000 00000000     0        0 101 1\n";
        assert!(lists(table, 9002));
        assert!(!lists(table, 8080), "a connection is not a listening socket");
        let six = "  sl  local_address                         remote_address                        st tx_queue\n   \
                   0: 00000000000000000000000000000000:232B 00000000000000000000000000000000:0000 0A 00000000:00000000\n";
        assert!(lists(six, 9003) && !lists(six, 9002));
    }
}
