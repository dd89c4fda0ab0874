//! Hosts of URLs, and which of them may receive secrets.

use std::net::IpAddr;

/// Returns the host of a URL with its port, if one is given; `None` if there is no host or it is preceded by a user.
pub(crate) fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#', '\\']).next()?;
    // Parsers disagree on which part is the host when a user precedes it.
    (!host.is_empty() && !host.contains('@')).then_some(host)
}

/// The host without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    }
}

/// Whether the host is this machine, regardless of name resolution.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let host = without_port(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether nobody else can read what is sent to the URL: the connection is encrypted, or stays on this machine.
pub(crate) fn is_private(url: &str) -> bool {
    url.starts_with("https://") || host_of(url).is_some_and(is_this_machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_this_machine() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "127.9.9.9"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["127.0.0.1.example.org", "localhost.example.org", "10.0.0.1", "0.0.0.0"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn n2_unencrypted_addresses_are_private_only_on_this_machine() {
        for url in ["https://example.org/x", "http://127.0.0.1:8/x", "http://[::1]/"] {
            assert!(is_private(url), "{url}");
        }
        for url in ["http://example.org/", "http://localhost@example.org/", "ftp://x/"] {
            assert!(!is_private(url), "{url}");
        }
    }
}
